//! One picture, many epsilons: how the answers fade, and where they tip over.

use super::clock::yield_now;
use super::error::Ended;
use super::inbox::Inbox;
use super::messages::NO_SOURCE;
use super::report::post;
use super::session::Session;
use protocol::{Point, Radius, Reply, RequestId, Settings, Slot};

impl Session {
    /// Attacks the picture opened last with each epsilon of the row and looks for the smallest one that changes the answer. Ends
    /// early if a newer request waits.
    pub(crate) async fn sweep(&self, id: RequestId, settings: Settings, inbox: &Inbox) {
        let Some((_, bundles)) = self.opened_and_loaded() else {
            post(&Reply::Refused { id, message: "There is no picture to attack yet: choose one first.".into() });
            return;
        };
        if settings.crafted_on.is_some_and(|source| bundles[source.index()].is_none()) {
            post(&Reply::Refused { id, message: NO_SOURCE.into() });
            return;
        }
        let slots: Vec<Slot> = Slot::ALL.into_iter().filter(|slot| bundles[slot.index()].is_some()).collect();
        match self.sweep_all(id, settings, &slots, inbox).await {
            Ok(()) => post(&Reply::Finished { id }),
            Err(ended) => self.ended(id, ended),
        }
    }

    async fn sweep_all(&self, id: RequestId, settings: Settings, slots: &[Slot], inbox: &Inbox) -> Result<(), Ended> {
        let mut first_fooled = [None; 2];
        for units in Radius::row(settings.norm()) {
            for &slot in slots {
                let point = self.point(id, slot, settings, units, inbox).await?;
                if point.fooled {
                    first_fooled[slot.index()].get_or_insert(units);
                }
                post(&Reply::Point { id, slot, point });
            }
        }
        for &slot in slots {
            let units = self.smallest(id, slot, settings, first_fooled[slot.index()], inbox).await?;
            post(&Reply::Smallest { id, slot, units });
        }
        Ok(())
    }

    /// Returns the smallest epsilon that changes a network's answer, by bisection between the two points of the row around it.
    async fn smallest(
        &self,
        id: RequestId,
        slot: Slot,
        settings: Settings,
        fooled_at: Option<u16>,
        inbox: &Inbox,
    ) -> Result<Option<u16>, Ended> {
        let Some(mut fools) = fooled_at else { return Ok(None) };
        let mut holds = Radius::row(settings.norm()).into_iter().rev().find(|&units| units < fools);
        while let Some(middle) = holds.and_then(|holds| between(holds, fools)) {
            if self.point(id, slot, settings, middle, inbox).await?.fooled {
                fools = middle;
            } else {
                holds = Some(middle);
            }
        }
        Ok(Some(fools))
    }

    async fn point(
        &self,
        id: RequestId,
        slot: Slot,
        settings: Settings,
        units: u16,
        inbox: &Inbox,
    ) -> Result<Point, Ended> {
        let (opened, bundles) = self.opened_and_loaded().ok_or(Ended::Interrupted)?;
        let settings = settings.with_radius(units);
        let source = settings.crafted_on.unwrap_or(slot);
        let [Some(asked), Some(attacked)] = [slot, source].map(|slot| bundles[slot.index()]) else {
            return Err(Ended::Interrupted);
        };
        let mut attack = self.begin_attack(source, attacked, &settings, opened)?;
        while !attack.is_done() {
            attack.advance();
            // A step is what takes time, and a device has taken it once something is read.
            attack.picture(&opened.picture, settings.radius()).await?;
            post(&Reply::Sweeping { id });
            yield_now().await;
            if inbox.ends_attack() {
                return Err(Ended::Interrupted);
            }
        }
        let attacked = attack.picture(&opened.picture, settings.radius()).await?;
        let clean = opened.clean[slot.index()];
        let prediction = self.predict(asked, &attacked).await?;
        yield_now().await;
        if inbox.ends_attack() {
            return Err(Ended::Interrupted);
        }
        let best = prediction.best();
        Ok(Point {
            units,
            loss: prediction.loss(settings.target.unwrap_or(clean)),
            own_share: prediction.share(clean),
            best,
            fooled: settings.target.map_or(best.class != clean, |target| best.class == target),
        })
    }
}

/// Returns the middle of two epsilons, if there is any whole one between them.
fn between(low: u16, high: u16) -> Option<u16> {
    let middle = low.midpoint(high);
    (middle > low && middle < high).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bisection_ends() {
        assert_eq!([between(4, 8), between(4, 6), between(4, 5), between(4, 4)], [Some(6), Some(5), None, None]);
    }
}
