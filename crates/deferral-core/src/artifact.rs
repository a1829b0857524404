//! The envelope of files that outlive a program: what it is, which version, and whether every bit is still there.
//!
//! Layout, integers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic `DEFERRAL` |
//! | 4 | format version |
//! | 4 | length k of the kind |
//! | 8 | length p of the payload |
//! | 32 | blake3 of everything else in the file |
//! | k | kind, UTF-8, such as `policy` |
//! | p | payload: `bincode` 2, standard configuration |
//!
//! The codec is used in this module only, so that it can be replaced without touching a model.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::{FileError, write_atomically};

const MAGIC: &[u8; 8] = b"DEFERRAL";
const HEADER: usize = 8 + 4 + 4 + 8 + 32;
const DIGEST_AT: usize = 24;

/// The format that this version writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Why an artifact was refused. It is never half-read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not begin as an artifact does.
    #[error("{} is not a deferral artifact", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} has format version {found}, this program reads up to {FORMAT_VERSION}; use a newer deferral", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Bytes are missing or there are too many.
    #[error("{} is {found} bytes long, its header promises {expected}; it was cut off or added to: write it again", path.display())]
    Length {
        /// Which file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// What the header says.
        expected: u64,
    },
    /// The checksum does not match.
    #[error("{} is damaged: its checksum does not match; write it again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} holds a `{found}`, not a `{expected}`", path.display())]
    Kind {
        /// Which file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// The payload does not have the expected shape.
    #[error("{} is a `{kind}` of another program version: {reason}", path.display())]
    Payload {
        /// Which file.
        path: PathBuf,
        /// Its kind.
        kind: String,
        /// What the codec said.
        reason: String,
    },
}

/// Writes `value` as an artifact of the given kind; whole or not at all.
///
/// # Errors
/// [`ArtifactError::File`], or [`ArtifactError::Payload`] if the value cannot be encoded.
pub fn save<T: Serialize>(path: &Path, kind: &str, value: &T) -> Result<(), ArtifactError> {
    let bytes = encode(kind, value).map_err(|reason| payload_error(path, kind, reason))?;
    Ok(write_atomically(path, |file| file.write_all(&bytes))?)
}

/// Reads an artifact of the given kind. Memory is bounded by the file's own length.
///
/// # Errors
/// [`ArtifactError`] says what is wrong with the file; a damaged one never yields a value.
pub fn load<T: DeserializeOwned>(path: &Path, kind: &str) -> Result<T, ArtifactError> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(|e| FileError::read(path, e))?;
    file.read_to_end(&mut bytes).map_err(|e| FileError::read(path, e))?;
    decode(path, kind, &bytes)
}

/// A short name of a value: 16 hexadecimal digits of the digest that its artifact would carry. Equal values have equal
/// names.
///
/// # Errors
/// [`ArtifactError::Payload`] if the value cannot be encoded.
pub fn fingerprint<T: Serialize>(kind: &str, value: &T) -> Result<String, ArtifactError> {
    let bytes = encode(kind, value).map_err(|reason| payload_error(Path::new("(memory)"), kind, reason))?;
    let name = u64_at(&bytes, DIGEST_AT).unwrap_or_default().swap_bytes();
    Ok(format!("{name:016x}"))
}

/// The bytes of an artifact of the given kind, for a store of another sort than a file.
///
/// # Errors
/// What the codec says of a value that cannot be encoded.
pub fn encode<T: Serialize>(kind: &str, value: &T) -> Result<Vec<u8>, String> {
    let payload = bincode::serde::encode_to_vec(value, bincode::config::standard()).map_err(|e| e.to_string())?;
    let mut bytes = Vec::with_capacity(HEADER + kind.len() + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&(kind.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(kind.as_bytes());
    bytes.extend_from_slice(&payload);
    let digest = digest(&bytes[..DIGEST_AT], &bytes[HEADER..]);
    bytes[DIGEST_AT..HEADER].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

fn digest(before: &[u8], after: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(before).update(after).finalize()
}

/// What [`encode`] made; `path` is what messages call the place that the bytes came from.
///
/// # Errors
/// As [`load`].
pub fn decode<T: DeserializeOwned>(path: &Path, kind: &str, bytes: &[u8]) -> Result<T, ArtifactError> {
    let path_buf = || path.to_owned();
    if bytes.len() < MAGIC.len() || &bytes[..MAGIC.len()] != MAGIC {
        return Err(ArtifactError::Foreign { path: path_buf() });
    }
    let found = bytes.len() as u64;
    let (Some(version), Some(kind_len), Some(payload_len)) = (u32_at(bytes, 8), u32_at(bytes, 12), u64_at(bytes, 16))
    else {
        return Err(ArtifactError::Length { path: path_buf(), found, expected: HEADER as u64 });
    };
    if version > FORMAT_VERSION {
        return Err(ArtifactError::Newer { path: path_buf(), found: version });
    }
    let expected = (HEADER as u64).saturating_add(u64::from(kind_len)).saturating_add(payload_len);
    if found != expected {
        return Err(ArtifactError::Length { path: path_buf(), found, expected });
    }
    let computed = digest(&bytes[..DIGEST_AT], &bytes[HEADER..]);
    if computed.as_bytes() != &bytes[DIGEST_AT..HEADER] {
        return Err(ArtifactError::Damaged { path: path_buf() });
    }
    let (kind_bytes, payload) = bytes[HEADER..].split_at(kind_len as usize);
    if kind_bytes != kind.as_bytes() {
        let found = String::from_utf8_lossy(kind_bytes).into_owned();
        return Err(ArtifactError::Kind { path: path_buf(), found, expected: kind.to_owned() });
    }
    match bincode::serde::decode_from_slice(payload, bincode::config::standard()) {
        Ok((value, read)) if read == payload.len() => Ok(value),
        Ok((_, read)) => Err(payload_error(path, kind, format!("{} bytes are left over", payload.len() - read))),
        Err(e) => Err(payload_error(path, kind, e.to_string())),
    }
}

fn payload_error(path: &Path, kind: &str, reason: String) -> ArtifactError {
    ArtifactError::Payload { path: path.to_owned(), kind: kind.to_owned(), reason }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Value = (Vec<f64>, Vec<String>, Option<u16>);

    fn value() -> Value {
        (vec![1.5, -0.0, f64::MIN_POSITIVE], vec!["ä".into(), String::new()], Some(7))
    }

    fn read(bytes: &[u8]) -> Result<Value, ArtifactError> {
        decode(Path::new("policy.dfr"), "policy", bytes)
    }

    proptest! {
        #[test]
        fn round_trip_is_bit_equal(numbers: Vec<f64>, names: Vec<String>, label: Option<u16>) {
            let bytes = encode("policy", &(&numbers, &names, label)).unwrap();
            let back = read(&bytes).unwrap();
            prop_assert_eq!(encode("policy", &back).unwrap(), bytes);
        }
    }

    #[test]
    fn cut_at_every_byte() {
        let bytes = encode("policy", &value()).unwrap();
        for end in 0..bytes.len() {
            let message = read(&bytes[..end]).unwrap_err().to_string();
            let expected = if end < 8 { "is not a deferral artifact" } else { "bytes long, its header promises" };
            assert!(message.starts_with("policy.dfr") && message.contains(expected), "{end}: {message}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = encode("policy", &value()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn added_bytes_another_kind_and_a_newer_format_are_named() {
        let mut longer = encode("policy", &value()).unwrap();
        longer.push(0);
        assert!(matches!(read(&longer), Err(ArtifactError::Length { .. })));
        let other = encode("journal", &value()).unwrap();
        assert_eq!(read(&other).unwrap_err().to_string(), "policy.dfr holds a `journal`, not a `policy`");
        let mut newer = encode("policy", &value()).unwrap();
        newer[8] = 2;
        assert!(read(&newer).unwrap_err().to_string().contains("format version 2, this program reads up to 1"));
    }

    #[test]
    fn a_payload_of_another_shape_with_a_valid_checksum_is_refused() {
        let bytes = encode("policy", &(u64::MAX, 3u8)).unwrap();
        assert!(matches!(read(&bytes), Err(ArtifactError::Payload { .. })));
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = load::<Value>(Path::new("no-such-folder/policy.dfr"), "policy").unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no-such-folder/policy.dfr"), "{missing}");
    }
}
