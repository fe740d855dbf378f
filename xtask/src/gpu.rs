//! `cargo xtask test --gpu`: a Vulkan driver for the tests of the GPU path, Mesa's software driver if there is no
//! other.

use std::env;
use std::fs;

use anyhow::{Result, bail};

use crate::process;

/// Folders in which the Vulkan loader finds drivers on Linux, each described by a JSON file.
const DRIVER_FOLDERS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Checks that a Vulkan driver is installed, and installs Mesa's if there is none, on Debian as root.
///
/// Does nothing except on Linux: other systems include their graphics interface.
///
/// # Errors
/// If there is no driver and none can be installed.
pub fn ensure_driver() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if has_driver() {
        println!("    a Vulkan driver is installed");
        return Ok(());
    }
    if !process::may_use_apt() {
        bail!(
            "there is no Vulkan driver; install your GPU's, or Mesa's software driver (Debian, Ubuntu: `apt install \
             libvulkan1 mesa-vulkan-drivers`; Fedora: `dnf install vulkan-loader mesa-vulkan-drivers`)"
        );
    }
    process::apt_install(&["libvulkan1", "mesa-vulkan-drivers"])
}

fn has_driver() -> bool {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| env::var_os(name).is_some());
    let has_json = |folder: &str| {
        fs::read_dir(folder).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "json")))
        })
    };
    named || DRIVER_FOLDERS.into_iter().any(has_json)
}
