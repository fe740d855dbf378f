//! The error of a node.

use std::fmt::{self, Display};

/// A node that does not answer, refuses a caller, or failed at its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeError {
    /// Address of the node, as it was given.
    pub node: String,
    /// What is wrong with the node, as the rest of a sentence that begins with its name.
    pub text: String,
}

impl Display for NodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "node {} {}", self.node, self.text)
    }
}

impl std::error::Error for NodeError {}
