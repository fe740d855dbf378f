//! Text files as editors on all systems write them.

/// Returns the text of a file in UTF-8, with or without a byte order mark, or in UTF-16 with one; lines end in `\n`. `None` for
/// what is no text.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let units = |of_pair: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let (pairs, rest) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|&pair| of_pair(pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, text @ ..] => String::from_utf8(text.to_vec()).ok(),
        [0xFF, 0xFE, text @ ..] => units(u16::from_le_bytes, text),
        [0xFE, 0xFF, text @ ..] => units(u16::from_be_bytes, text),
        text => String::from_utf8(text.to_vec()).ok(),
    }?;
    Some(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_of_every_system_give_one_text() {
        let text = "n1\nn2\tgrün 😀\n";
        for written in [text.to_string(), text.replace('\n', "\r\n"), text.replace('\n', "\r")] {
            let utf16 = |bytes: fn(u16) -> [u8; 2]| written.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            for bytes in [
                written.as_bytes().to_vec(),
                [b"\xEF\xBB\xBF", written.as_bytes()].concat(),
                [&b"\xFF\xFE"[..], &utf16(u16::to_le_bytes)].concat(),
                [&b"\xFE\xFF"[..], &utf16(u16::to_be_bytes)].concat(),
            ] {
                assert_eq!(decode(&bytes).as_deref(), Some(text));
            }
        }
        assert_eq!(decode(b"\xFF\xFEa\0b"), None);
        assert_eq!(decode(&[0xFF, 0xD8, 0xFF]), None);
    }
}
