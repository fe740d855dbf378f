//! Which backend computes, and why.

use shared::device::{self, Backend, DeviceError, Engine};

use super::measure;
use protocol::text::capitalised;
use protocol::{Adapter, BackendChoice, BackendReport, Measured};

/// Opens what the visitor chose, or what is quickest here, and says why it is that. What was measured on an earlier visit is
/// taken as it is, if it was on the same adapter.
///
/// # Errors
///
/// If not even the CPU can be opened, which only a broken build does.
pub(crate) async fn open(
    choice: BackendChoice,
    mut adapter: Adapter,
    before: Option<Measured>,
) -> Result<(Engine, BackendReport), DeviceError> {
    let mut webgpu = None;
    if adapter.is_for(choice, before.as_ref())
        && let Adapter::Found { name, software } = &adapter
    {
        match device::open(Backend::WebGpu).await {
            // The page reads more of an adapter than wgpu does.
            Ok(engine) => {
                let (adapter, software) = (name.clone().or(engine.adapter), *software || engine.software);
                webgpu = Some(Engine { adapter, software, ..engine });
            }
            Err(error) => {
                // In a developer's words; the visitor gets plain ones.
                log::warn!("{error}");
                adapter = Adapter::NotOpened;
            }
        }
    }
    let measured = match (&webgpu, choice, &adapter) {
        (Some(engine), BackendChoice::Auto, _) => measure(engine, before).await?,
        // Of this adapter, and the reason why it was not opened.
        (None, BackendChoice::Auto, Adapter::Found { software: false, .. }) => before,
        _ => None,
    };
    let (takes_webgpu, reason) = decide(choice, &adapter, measured.as_ref());
    let engine = match webgpu {
        Some(engine) if takes_webgpu => engine,
        _ => device::open(Backend::Flex).await?,
    };
    let report = BackendReport {
        backend: match engine.backend {
            Backend::WebGpu => protocol::Backend::WebGpu,
            _ => protocol::Backend::Cpu,
        },
        adapter: engine.adapter.clone(),
        software: engine.software,
        reason,
        measured,
    };
    Ok((engine, report))
}

/// Measures how quick both backends are; none if WebGPU cannot even be measured, which the self-test will find out about.
async fn measure(webgpu: &Engine, before: Option<Measured>) -> Result<Option<Measured>, DeviceError> {
    if let Some(before) = before.filter(|before| before.adapter.is_some() && before.adapter == webgpu.adapter) {
        return Ok(Some(before));
    }
    let cpu = device::open(Backend::Flex).await?;
    let cpu_ms = measure::forward_ms(&cpu.device).await?;
    let webgpu_ms = match measure::forward_ms(&webgpu.device).await {
        Ok(ms) => ms,
        Err(error) => {
            log::warn!("WebGPU cannot be measured: {error}");
            return Ok(None);
        }
    };
    Ok(Some(Measured { adapter: webgpu.adapter.clone(), webgpu_ms, cpu_ms }))
}

/// Tells whether to take WebGPU, and why in a sentence.
fn decide(choice: BackendChoice, adapter: &Adapter, measured: Option<&Measured>) -> (bool, String) {
    let asked = if choice == BackendChoice::WebGpu { "WebGPU was asked for, but " } else { "" };
    let lacks = |what: &str| (false, capitalised(&format!("{asked}this browser {what}, so the CPU computes.")));
    let (name, software) = match adapter {
        _ if choice == BackendChoice::Cpu => return (false, "You chose the CPU.".into()),
        Adapter::NoWebGpu => return lacks("offers no WebGPU to this page"),
        Adapter::NotLookedFor | Adapter::Missing => return lacks("has no graphics adapter for WebGPU"),
        Adapter::Silent => return lacks("did not answer when it was asked for a graphics adapter"),
        Adapter::NotOpened => return lacks("could not open its graphics adapter"),
        Adapter::Found { name, software } => {
            (name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default(), *software)
        }
    };
    match (choice, software, measured) {
        (BackendChoice::WebGpu, false, _) => (true, format!("You chose WebGPU{name}.")),
        (BackendChoice::WebGpu, true, _) => {
            (true, format!("You chose WebGPU. Its adapter{name} is emulated in software: expect it to be slow."))
        }
        (_, true, _) => {
            (false, format!("The only WebGPU adapter here{name} is emulated in software; the CPU itself is faster."))
        }
        (_, false, Some(measured)) if measured.quicker() == protocol::Backend::Cpu => (
            false,
            format!(
                "Measured here, the CPU is quicker than the graphics processor{name}: {:.0} ms a picture against {:.0} ms.",
                measured.cpu_ms, measured.webgpu_ms
            ),
        ),
        (_, false, Some(measured)) => (
            true,
            format!(
                "Measured here, the graphics processor{name} is quicker than the CPU: {:.1} ms a picture against {:.0} ms. \
                 A self-test checks it first.",
                measured.webgpu_ms, measured.cpu_ms
            ),
        ),
        (_, false, None) => {
            (true, format!("This device's graphics processor{name} computes; a self-test checks it first."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::prelude::Device;

    fn adapter(software: bool) -> Adapter {
        Adapter::Found { name: Some("Made-up".into()), software }
    }

    fn measured(webgpu_ms: f64) -> Measured {
        Measured { adapter: Some("Made-up".into()), webgpu_ms, cpu_ms: 40.0 }
    }

    #[test]
    fn webgpu_is_taken_on_hardware_or_on_demand() {
        use BackendChoice::{Auto, Cpu, WebGpu};
        let taken = |choice, found: Adapter| decide(choice, &found, None).0;
        assert!(taken(Auto, adapter(false)) && taken(WebGpu, adapter(false)) && taken(WebGpu, adapter(true)));
        assert!(!taken(Auto, adapter(true)) && !taken(Auto, Adapter::NoWebGpu) && !taken(Cpu, adapter(false)));
        assert!(!taken(WebGpu, Adapter::Missing));
    }

    #[test]
    fn what_is_quicker_is_taken_unless_the_visitor_chose() {
        use BackendChoice::{Auto, WebGpu};
        let (taken, reason) = decide(Auto, &adapter(false), Some(&measured(3.04)));
        assert!(taken && reason.contains("3.0 ms a picture against 40 ms"), "{reason}");
        let (taken, reason) = decide(Auto, &adapter(false), Some(&measured(90.0)));
        assert!(!taken && reason.contains("40 ms a picture against 90 ms"), "{reason}");
        assert!(decide(WebGpu, &adapter(false), Some(&measured(90.0))).0);
    }

    #[test]
    fn what_was_measured_on_this_adapter_is_remembered() {
        let before = measured(1.0);
        let engine = Engine {
            device: Device::flex(),
            backend: Backend::WebGpu,
            adapter: before.adapter.clone(),
            software: false,
        };
        let again = pollster::block_on(measure(&engine, Some(before.clone()))).unwrap();
        assert_eq!(again, Some(before));
    }

    #[test]
    fn an_adapter_that_was_slower_is_not_opened_again() {
        let slower = measured(90.0);
        let opened = pollster::block_on(open(BackendChoice::Auto, adapter(false), Some(slower.clone())));
        let (engine, report) = opened.unwrap();
        assert_eq!((engine.backend, &report.measured), (Backend::Flex, &Some(slower)));
        assert!(report.reason.starts_with("Measured here, the CPU is quicker"), "{}", report.reason);
    }

    #[test]
    fn an_adapter_that_does_not_open_leaves_the_cpu() {
        let (engine, report) = pollster::block_on(open(BackendChoice::WebGpu, adapter(false), None)).unwrap();
        assert_eq!((engine.backend, report.measured), (Backend::Flex, None));
        assert_eq!(
            report.reason,
            "WebGPU was asked for, but this browser could not open its graphics adapter, so the CPU computes."
        );
    }

    #[test]
    fn every_reason_is_a_sentence_that_fits() {
        let (_, reason) = decide(BackendChoice::WebGpu, &Adapter::NoWebGpu, None);
        assert_eq!(
            reason,
            "WebGPU was asked for, but this browser offers no WebGPU to this page, so the CPU computes."
        );
        let (_, reason) = decide(BackendChoice::Auto, &Adapter::NoWebGpu, None);
        assert_eq!(reason, "This browser offers no WebGPU to this page, so the CPU computes.");
        let (_, reason) = decide(BackendChoice::Auto, &adapter(true), None);
        assert!(reason.contains("(Made-up)") && reason.contains("software"), "{reason}");
        assert_eq!(decide(BackendChoice::Cpu, &Adapter::NotLookedFor, None).1, "You chose the CPU.");
        let reason = decide(BackendChoice::Auto, &Adapter::Silent, None).1;
        assert_eq!(
            reason,
            "This browser did not answer when it was asked for a graphics adapter, so the CPU computes."
        );
    }
}
