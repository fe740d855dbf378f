//! Bastion computes what PyTorch, torchvision, torchattacks, scipy and Pillow compute. `tests/reference` made the golden files.

mod attacks;
mod corruptions;
mod metrics;
mod network;
mod perturbations;
mod pictures;
mod resnet;
