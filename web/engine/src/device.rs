//! Which backend computes, and why.

use shared::device::{self, Backend, DeviceError, Engine};
use wasm_bindgen::JsValue;

use super::measure;
use protocol::text::capitalised;
use protocol::{BackendChoice, BackendReport, Measured};

/// Opens what the visitor chose, or what is quickest here, and says why it is that. What was measured on an earlier visit is
/// taken as it is, if it was on the same adapter.
///
/// # Errors
///
/// If not even the CPU can be opened, which only a broken build does.
pub(crate) async fn open(
    choice: BackendChoice,
    before: Option<Measured>,
) -> Result<(Engine, BackendReport), DeviceError> {
    let found = match choice {
        BackendChoice::Cpu => Found::NotLookedFor,
        _ if !browser_has_webgpu() => Found::NoWebGpu,
        _ => match device::open(Backend::WebGpu).await {
            Ok(engine) => Found::Adapter(engine),
            Err(error) => {
                // In a developer's words; the visitor gets plain ones.
                log::warn!("{error}");
                Found::NoAdapter
            }
        },
    };
    let measured = match &found {
        Found::Adapter(engine) if choice == BackendChoice::Auto && !engine.software => measure(engine, before).await?,
        _ => None,
    };
    let (takes_webgpu, reason) = decide(choice, &found, measured.as_ref());
    let engine = match found {
        Found::Adapter(engine) if takes_webgpu => engine,
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

/// What looking for WebGPU gave.
enum Found {
    NotLookedFor,
    NoWebGpu,
    NoAdapter,
    Adapter(Engine),
}

/// Tells whether to take WebGPU, and why in a sentence.
fn decide(choice: BackendChoice, found: &Found, measured: Option<&Measured>) -> (bool, String) {
    let asked = if choice == BackendChoice::WebGpu { "WebGPU was asked for, but " } else { "" };
    match found {
        Found::NotLookedFor => (false, "You chose the CPU.".into()),
        Found::NoWebGpu => {
            (false, capitalised(&format!("{asked}this browser offers no WebGPU to this page, so the CPU computes.")))
        }
        Found::NoAdapter => (
            false,
            capitalised(&format!("{asked}this browser has no graphics adapter for WebGPU, so the CPU computes.")),
        ),
        Found::Adapter(engine) => {
            let name = engine.adapter.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
            match (choice, engine.software) {
                (BackendChoice::WebGpu, false) => (true, format!("You chose WebGPU{name}.")),
                (BackendChoice::WebGpu, true) => (
                    true,
                    format!("You chose WebGPU. Its adapter{name} is emulated in software: expect it to be slow."),
                ),
                (_, true) => (
                    false,
                    format!("The only WebGPU adapter here{name} is emulated in software; the CPU itself is faster."),
                ),
                (_, false) => match measured {
                    Some(measured) if measured.quicker() == protocol::Backend::Cpu => (
                        false,
                        format!(
                            "Measured here, the CPU is quicker than the graphics processor{name}: {:.0} ms a picture \
                             against {:.0} ms.",
                            measured.cpu_ms, measured.webgpu_ms
                        ),
                    ),
                    Some(measured) => (
                        true,
                        format!(
                            "Measured here, the graphics processor{name} is quicker than the CPU: {:.1} ms a picture \
                             against {:.0} ms. A self-test checks it first.",
                            measured.webgpu_ms, measured.cpu_ms
                        ),
                    ),
                    None => {
                        (true, format!("This device's graphics processor{name} computes; a self-test checks it first."))
                    }
                },
            }
        }
    }
}

/// Tells whether the browser offers WebGPU at all. It hides it from pages that are neither `https` nor local.
fn browser_has_webgpu() -> bool {
    let global = js_sys::global();
    let get = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &name.into()).ok();
    get(&global, "navigator")
        .and_then(|navigator| get(&navigator, "gpu"))
        .is_some_and(|gpu| !gpu.is_undefined() && !gpu.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::prelude::Device;

    fn adapter(software: bool) -> Found {
        Found::Adapter(Engine {
            device: Device::flex(),
            backend: Backend::WebGpu,
            adapter: Some("Made-up".into()),
            software,
        })
    }

    #[test]
    fn webgpu_is_taken_on_hardware_or_on_demand() {
        use BackendChoice::{Auto, WebGpu};
        let taken = |choice, found: Found| decide(choice, &found, None).0;
        assert!(taken(Auto, adapter(false)) && taken(WebGpu, adapter(false)) && taken(WebGpu, adapter(true)));
        assert!(!taken(Auto, adapter(true)) && !taken(Auto, Found::NoWebGpu));
        assert!(!taken(WebGpu, Found::NoAdapter));
    }

    #[test]
    fn what_is_quicker_is_taken_unless_the_visitor_chose() {
        use BackendChoice::{Auto, WebGpu};
        let measured = |webgpu_ms| Measured { adapter: Some("Made-up".into()), webgpu_ms, cpu_ms: 40.0 };
        let (taken, reason) = decide(Auto, &adapter(false), Some(&measured(3.04)));
        assert!(taken && reason.contains("3.0 ms a picture against 40 ms"), "{reason}");
        let (taken, reason) = decide(Auto, &adapter(false), Some(&measured(90.0)));
        assert!(!taken && reason.contains("40 ms a picture against 90 ms"), "{reason}");
        assert!(decide(WebGpu, &adapter(false), Some(&measured(90.0))).0);
    }

    #[test]
    fn what_was_measured_on_this_adapter_is_remembered() {
        let before = Measured { adapter: Some("Made-up".into()), webgpu_ms: 1.0, cpu_ms: 2.0 };
        let Found::Adapter(engine) = adapter(false) else { unreachable!("it is one") };
        let again = pollster::block_on(measure(&engine, Some(before.clone()))).unwrap();
        assert_eq!(again, Some(before));
    }

    #[test]
    fn every_reason_is_a_sentence_that_fits() {
        let (_, reason) = decide(BackendChoice::WebGpu, &Found::NoWebGpu, None);
        assert_eq!(
            reason,
            "WebGPU was asked for, but this browser offers no WebGPU to this page, so the CPU computes."
        );
        let (_, reason) = decide(BackendChoice::Auto, &Found::NoWebGpu, None);
        assert_eq!(reason, "This browser offers no WebGPU to this page, so the CPU computes.");
        let (_, reason) = decide(BackendChoice::Auto, &adapter(true), None);
        assert!(reason.contains("(Made-up)") && reason.contains("software"), "{reason}");
    }
}
