//! Parity with PyTorch, torchvision, torchattacks, grad-cam, captum, scipy and Pillow. The scripts in `tests/reference` made the
//! golden files.

mod attacks;
mod autoattack;
mod corruptions;
mod detectors;
mod efficientnet_lite;
mod explain;
mod metrics;
mod network;
mod perturbations;
mod pictures;
mod resnet;
mod smallest;
