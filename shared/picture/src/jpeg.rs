//! JPEG files as they come: without an end, and with Adobe's segment in any place.

use std::borrow::Cow;
use std::ops::Range;

/// Marker of the end of an image.
const END: [u8; 2] = [0xff, 0xd9];

/// Bytes that are no marker, to be read as the data of a scan.
const FILLERS: [u8; 2] = [0x55, 0xaa];

/// A segment before the first scan.
struct Segment {
    marker: u8,
    /// The bytes of the file, from the marker on.
    bytes: Range<usize>,
}

impl Segment {
    /// Returns whether the segment is Adobe's word on the colours.
    fn is_adobe(&self, jpeg: &[u8]) -> bool {
        self.marker == 0xee && jpeg[self.bytes.clone()].get(4..).is_some_and(|content| content.starts_with(b"Adobe"))
    }

    /// Returns whether the segment is a frame's header: SOF0 to SOF15, without DHT, JPG and DAC, which lie between.
    fn is_frame(&self) -> bool {
        matches!(self.marker, 0xc0..=0xcf) && !matches!(self.marker, 0xc4 | 0xc8 | 0xcc)
    }
}

/// Returns the segments before the first scan, and where that begins, or where the file can be followed no further.
fn segments(jpeg: &[u8]) -> (Vec<Segment>, usize) {
    const START_OF_SCAN: u8 = 0xda;
    let (mut segments, mut at) = (Vec::new(), 2);
    while let Some(&[0xff, marker, high, low]) = jpeg.get(at..at + 4) {
        let length = match marker {
            START_OF_SCAN => break,
            // 0xFF may be repeated to pad before a marker.
            0xff => 1,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])),
        };
        if at + length > jpeg.len() {
            break;
        }
        if marker != 0xff {
            segments.push(Segment { marker, bytes: at..at + length });
        }
        at += length;
    }
    (segments, at)
}

/// Returns the file with Adobe's word on the colours (APP14) where decoders expect it: before the frame's header, once, and not in
/// a grey picture, which has no colours to be converted. libjpeg reads all segments before it decides, and the last word counts.
pub(super) fn with_colours_settled(jpeg: &[u8]) -> Cow<'_, [u8]> {
    /// Place of the number of components in a frame's header.
    const COMPONENTS: usize = 9;
    let (segments, scan) = segments(jpeg);
    let Some(frame) = segments.iter().position(Segment::is_frame) else { return Cow::Borrowed(jpeg) };
    let adobe: Vec<usize> = (0..segments.len()).filter(|&index| segments[index].is_adobe(jpeg)).collect();
    let Some(&last) = adobe.last() else { return Cow::Borrowed(jpeg) };
    let is_grey = jpeg.get(segments[frame].bytes.start + COMPONENTS) == Some(&1);
    if !is_grey && adobe.len() == 1 && last < frame {
        return Cow::Borrowed(jpeg);
    }
    let kept = Some(&segments[last]).filter(|_| !is_grey);
    let others = segments.iter().filter(|segment| !segment.is_adobe(jpeg));
    let mut file = jpeg[..2].to_vec();
    for segment in kept.into_iter().chain(others) {
        file.extend_from_slice(&jpeg[segment.bytes.clone()]);
    }
    file.extend_from_slice(&jpeg[scan..]);
    Cow::Owned(file)
}

/// Returns whether a JPEG has no end marker after its first scan begins. In the data of a scan a 0xFF is always followed by a
/// zero or a restart marker, so the end marker cannot appear there by chance; the thumbnail inside a segment has one of its own.
pub(super) fn has_no_end(jpeg: &[u8]) -> bool {
    let (_, scan) = segments(jpeg);
    !jpeg[scan..].windows(2).any(|pair| pair == END)
}

/// Returns the file with an end, then the same with other data before that end. A decoder that has all of the picture reads
/// nothing of the data, so the pictures are the same; otherwise the data show in it.
pub(super) fn with_ends(jpeg: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    /// Enough to fill what may be missing visibly.
    const FILLING: usize = 1024;
    // The half of a marker.
    let whole = jpeg.strip_suffix(&[0xff]).unwrap_or(jpeg);
    let fillings = std::iter::once(Vec::new()).chain(FILLERS.map(|filler| vec![filler; FILLING]));
    fillings.map(move |filling| [whole, &filling, &END].concat())
}
