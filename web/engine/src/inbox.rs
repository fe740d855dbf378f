//! The requests that wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use protocol::Request;
use protocol::wire::unpacked;

/// Requests in order of arrival, without those that a later one made pointless.
#[derive(Default)]
struct Queue(VecDeque<Request>);

impl Queue {
    fn push(&mut self, request: Request) {
        self.0.retain(|waiting| !is_pointless(Kind::of(waiting), Kind::of(&request)));
        self.0.push_back(request);
    }

    /// Tells whether an attack under way should end: whatever waits is newer, and either replaces it or cancels it.
    fn ends_attack(&self) -> bool {
        !self.0.is_empty()
    }

    /// Tells whether the networks need look at a picture no more: another one waits, or it is disturbed in another way, or other
    /// networks are to look at it.
    fn ends_opening(&self) -> bool {
        let ends = |waiting| matches!(Kind::of(waiting), Kind::Load | Kind::Open | Kind::Disturb);
        self.0.iter().any(ends)
    }

    /// Tells whether networks should be loaded no more: others are wanted, or none.
    fn ends_loading(&self) -> bool {
        self.0.iter().any(|waiting| matches!(Kind::of(waiting), Kind::Load | Kind::Cancel))
    }
}

/// Kind of a request: what it works on, and so which later ones make it pointless.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Begins everything, once.
    Start,
    /// Loads networks.
    Load,
    /// Opens a picture.
    Open,
    /// Disturbs that picture.
    Disturb,
    /// Attacks it as it is then.
    Attack,
    /// Works on a picture that is in the request.
    Save,
    /// Stops what is under way.
    Cancel,
}

impl Kind {
    fn of(request: &Request) -> Self {
        match request {
            Request::Start { .. } => Self::Start,
            Request::Load { .. } => Self::Load,
            Request::Open { .. } => Self::Open,
            Request::Disturb { .. } => Self::Disturb,
            Request::Attack { .. } | Request::Sweep { .. } | Request::Look { .. } => Self::Attack,
            Request::Save { .. } => Self::Save,
            Request::Cancel => Self::Cancel,
        }
    }
}

/// Tells whether a request that waits need not be answered any more, since a newer one came.
fn is_pointless(waiting: Kind, newer: Kind) -> bool {
    use Kind::{Attack, Cancel, Disturb, Load, Open, Save, Start};
    match newer {
        // The page opens its picture again once the networks are there. A picture that is to be saved is in its request.
        Load => waiting != Save,
        Open => !matches!(waiting, Save | Load),
        Disturb => matches!(waiting, Attack | Disturb),
        Attack => waiting == Attack,
        Cancel => matches!(waiting, Attack | Load),
        Save | Start => false,
    }
}

/// The worker's mailbox.
pub(crate) struct Inbox(Rc<RefCell<Mail>>);

#[derive(Default)]
struct Mail {
    queue: Queue,
    reader: Option<Waker>,
}

impl Inbox {
    /// Begins to receive requests.
    pub(crate) fn listen() -> Self {
        let mail = Rc::new(RefCell::new(Mail::default()));
        let delivered = Rc::clone(&mail);
        let on_message =
            Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| match unpacked(event.data()) {
                Ok(request) => {
                    let mut mail = delivered.borrow_mut();
                    mail.queue.push(request);
                    if let Some(reader) = mail.reader.take() {
                        reader.wake();
                    }
                }
                Err(error) => log::error!("a message that is no request: {error}"),
            });
        let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
        scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        // It is called as long as the worker lives.
        on_message.forget();
        Self(mail)
    }

    /// Returns the next request, once there is one.
    pub(crate) async fn next(&self) -> Request {
        poll_fn(|context| {
            let mut mail = self.0.borrow_mut();
            match mail.queue.0.pop_front() {
                Some(request) => Poll::Ready(request),
                None => {
                    mail.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Waits for networks to be loaded; none if a request that ends this came first.
    pub(crate) async fn unless_ended<T>(&self, loading: impl Future<Output = T>) -> Option<T> {
        let mut loading = pin!(loading);
        poll_fn(|context| {
            let mut mail = self.0.borrow_mut();
            if mail.queue.ends_loading() {
                return Poll::Ready(None);
            }
            mail.reader = Some(context.waker().clone());
            drop(mail);
            loading.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// Tells whether an attack under way should end.
    pub(crate) fn ends_attack(&self) -> bool {
        self.0.borrow().queue.ends_attack()
    }

    /// Tells whether the opening of a picture should end.
    pub(crate) fn ends_opening(&self) -> bool {
        self.0.borrow().queue.ends_opening()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Disturbance, Pixels, Settings, Slot};

    fn open(id: u32) -> Request {
        Request::Open { id, pixels: Pixels::default(), disturbance: Disturbance::default() }
    }

    fn attack(id: u32) -> Request {
        Request::Attack { id, settings: Settings::default() }
    }

    fn disturb(id: u32) -> Request {
        Request::Disturb { id, disturbance: Disturbance::default() }
    }

    fn sweep(id: u32) -> Request {
        Request::Sweep { id, settings: Settings::default() }
    }

    fn save(id: u32) -> Request {
        Request::Save { id, slot: Slot::Left, pixels: Pixels(Vec::new()) }
    }

    fn load(id: u32) -> Request {
        Request::Load { id, pair: ["standard".into(), "hardened".into()] }
    }

    fn queue(requests: impl IntoIterator<Item = Request>) -> Queue {
        let mut queue = Queue::default();
        requests.into_iter().for_each(|request| queue.push(request));
        queue
    }

    #[test]
    fn the_latest_attack_on_the_latest_picture_is_left() {
        assert_eq!(queue([open(1), attack(2), attack(3)]).0, [open(1), attack(3)]);
        assert_eq!(queue([open(1), attack(2), open(3), attack(4)]).0, [open(3), attack(4)]);
        assert_eq!(queue([attack(1), Request::Cancel]).0, [Request::Cancel]);
        assert_eq!(queue([attack(1), sweep(2)]).0, [sweep(2)]);
        assert_eq!(queue([open(1), disturb(2), attack(3), disturb(4), attack(5)]).0, [open(1), disturb(4), attack(5)]);
        assert_eq!(queue([disturb(1), open(2)]).0, [open(2)]);
        assert_eq!(queue([open(1), disturb(2)]).0, [open(1), disturb(2)], "that picture, disturbed in another way");
        assert_eq!(queue([save(1), attack(2), open(3), load(4)]).0, [save(1), load(4)], "a file is a promise");
    }

    #[test]
    fn the_latest_networks_are_loaded_before_they_look_at_anything() {
        assert_eq!(queue([open(1), attack(2), disturb(3), load(3), load(4), open(5)]).0, [load(4), open(5)]);
        assert_eq!(queue([load(1), Request::Cancel]).0, [Request::Cancel]);
    }

    #[test]
    fn what_ends_what() {
        assert!(!queue([]).ends_attack() && !queue([]).ends_opening());
        assert!(queue([attack(2)]).ends_attack() && !queue([attack(2)]).ends_opening());
        assert!(queue([Request::Cancel]).ends_attack());
        assert!(queue([disturb(3)]).ends_attack() && queue([disturb(3)]).ends_opening());
        assert!(queue([open(3)]).ends_attack() && queue([open(3)]).ends_opening());
        assert!(queue([load(4)]).ends_attack() && queue([load(4)]).ends_opening() && queue([load(4)]).ends_loading());
        assert!(queue([Request::Cancel]).ends_loading() && !queue([open(3), attack(4)]).ends_loading());
    }
}
