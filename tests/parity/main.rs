//! Parity with PyTorch, torchvision, torchattacks, scipy and Pillow. The scripts in `tests/reference` made the golden files.

mod attacks;
mod autoattack;
mod corruptions;
mod efficientnet_lite;
mod metrics;
mod network;
mod perturbations;
mod pictures;
mod resnet;
mod smallest;
