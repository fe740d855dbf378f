//! What the page and its decoder send each other. The decoder is a worker of its own, so that a crash on a picture file costs
//! nothing but that file.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use terms::picture::{Crop, Size};

use super::{Pixels, RequestId};

/// From the page to the decoder, which works on one request at a time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum DecodeRequest {
    /// Decode a picture file; the photo takes the place of the one before.
    Open {
        /// Id of this request.
        id: RequestId,
        /// The encoded file, which travels beside the message: see [`crate::wire`].
        #[serde(skip)]
        file: Arc<Vec<u8>>,
        /// The square that the networks see; none is the one in the middle.
        crop: Option<Crop>,
    },
    /// Cut another square out of the photo.
    Cut {
        /// Id of this request.
        id: RequestId,
        /// The square; none is the one in the middle.
        crop: Option<Crop>,
    },
}

/// From the decoder to the page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum DecodeReply {
    /// The worker receives requests. Those sent earlier are lost.
    Loaded,
    /// A file was decoded.
    Opened {
        /// The request.
        id: RequestId,
        /// What is in the file.
        decoded: Decoded,
    },
    /// Another square was cut.
    Square {
        /// The request.
        id: RequestId,
        /// The square at 64x64.
        pixels: Pixels,
    },
    /// The file is no picture, or not one that can be read.
    Bad {
        /// The request.
        id: RequestId,
        /// What is wrong and what to do.
        message: String,
    },
    /// The decoder panicked and answers no more.
    Panicked(String),
}

/// A decoded picture file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decoded {
    /// Width and height of the upright picture.
    pub size: Size,
    /// The whole picture, for people.
    pub preview: Preview,
    /// The square that was asked for, at 64x64, for the networks.
    pub square: Pixels,
    /// Memory of the decoder by then, which a worker never gives back.
    pub memory_bytes: u64,
}

/// A picture as people see it: upright, in sRGB, on white, scaled down to what a screen shows.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Preview {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Rows from the top, RGBA: `[height, width, 4]`. They travel beside their message: see [`crate::wire`].
    #[serde(skip)]
    pub rgba: Arc<Vec<u8>>,
}

impl fmt::Debug for Preview {
    /// Leaves out some million numbers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Preview({} x {})", self.width, self.height)
    }
}
