//! Names and shapes of a network's weights as in a state dict of PyTorch.

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;

use super::Backbone;

impl Backbone {
    /// Returns names and shapes of all weights and running statistics as in a state dict of PyTorch, in the order of the
    /// layers. No weight is drawn.
    pub fn state_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut names = StateShapes::default();
        self.visit(&mut names);
        names.shapes
    }
}

#[derive(Default)]
struct StateShapes {
    /// Names and types of the modules around a parameter, outermost first; no name for enums, which PyTorch does not have.
    around: Vec<(Option<String>, String)>,
    shapes: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for StateShapes {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        let named = (!container_type.starts_with("Enum:")).then(|| name.to_string());
        self.around.push((named, container_type.into()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.around.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut path: Vec<&str> = self.around.iter().filter_map(|(name, _)| name.as_deref()).collect();
        let mut shape = param.lazy_shape().to_vec();
        // burn differs in two things: names of batch norm, and transposed linear layers.
        if let (Some(name), Some((_, layer))) = (path.last_mut(), self.around.last()) {
            *name = match *name {
                "gamma" => "weight",
                "beta" => "bias",
                other => other,
            };
            if layer == "Struct:Linear" && D == 2 {
                shape.reverse();
            }
        }
        self.shapes.push((path.join("."), shape));
    }
}
