//! Named arrays in one file, `.npz`: a zip archive of `.npy` files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use deferral_core::files::FileError;
use zip::ZipArchive;
use zip::result::ZipError;

use super::header::NpyError;
use super::npy::Array;

/// An array of more bytes is refused: a small archive can unpack to anything.
const MOST: u64 = 1 << 32;

/// What every entry of an archive is called after its own name.
const EXTENSION: &str = ".npy";

/// An open archive of named arrays, stored or deflated: what `numpy.savez` and `numpy.savez_compressed` write.
///
/// ```
/// use std::io::Write;
/// use deferral_data::numpy::Archive;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("arrays.npz");
/// let mut zip = zip::ZipWriter::new(std::fs::File::create(&path)?);
/// zip.start_file("ages.npy", zip::write::SimpleFileOptions::default())?;
/// zip.write_all(b"\x93NUMPY\x01\x00\x3a\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}  \n")?;
/// zip.write_all(&[31, 44])?;
/// zip.finish()?;
///
/// let mut archive = Archive::open(&path)?;
/// assert_eq!(archive.names().collect::<Vec<_>>(), ["ages"]);
/// assert_eq!(archive.read("ages")?.values(), [31.0, 44.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The system could not read the file.
    #[error("{0}; check the path and its permissions")]
    Read(#[source] FileError),
    /// The file is no zip archive, or a damaged one.
    #[error("{}: this is not a .npz archive ({reason}); write it with numpy.savez", file.display())]
    NotAnArchive {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No array has this name.
    #[error("{}: there is no array `{array}`; present are {present}", file.display())]
    NoArray {
        /// The file.
        file: PathBuf,
        /// The name.
        array: String,
        /// Those that exist.
        present: String,
    },
    /// An array is larger than any that is read.
    #[error("{}: array `{array}` has {bytes} bytes, but at most {MOST} are read; divide it", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The name.
        array: String,
        /// Its size, unpacked.
        bytes: u64,
    },
    /// An array cannot be read.
    #[error("{}, array `{array}`: {source}", file.display())]
    Array {
        /// The file.
        file: PathBuf,
        /// The name.
        array: String,
        /// What is wrong with it.
        source: NpyError,
    },
}

impl Archive {
    /// Opens an archive and learns the names of its arrays; entries that are not called `NAME.npy` are left alone.
    ///
    /// # Errors
    /// [`NpzError::Read`] and [`NpzError::NotAnArchive`].
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let unreadable = |error| NpzError::Read(FileError::read(path, error));
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| match error {
            ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => unreadable(error),
            error => NpzError::NotAnArchive { file: path.to_owned(), reason: error.to_string() },
        })?;
        let entries = zip.file_names().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.strip_suffix(EXTENSION).map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(Self { path: path.to_owned(), zip, names })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the arrays, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether there is an array called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Reads the array called `name`. Its header is held against the size that the archive states before anything is
    /// unpacked, and what is allocated grows with what is unpacked.
    ///
    /// # Errors
    /// [`NpzError`] names the file and the array.
    pub fn read(&mut self, name: &str) -> Result<Array, NpzError> {
        if !self.has(name) {
            let present = self.names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            let present = if present.is_empty() { "none".to_owned() } else { present.join(", ") };
            return Err(NpzError::NoArray { file: self.path.clone(), array: name.to_owned(), present });
        }
        let (file, array) = (self.path.clone(), name.to_owned());
        let entry = match self.zip.by_name(&format!("{name}{EXTENSION}")) {
            Ok(entry) => entry,
            Err(error) => {
                return Err(NpzError::Array { file, array, source: NpyError::Read(error.to_string()) });
            }
        };
        let bytes = entry.size();
        if bytes > MOST {
            return Err(NpzError::TooLarge { file, array, bytes });
        }
        Array::read(entry, bytes).map_err(|source| NpzError::Array { file, array, source })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{npy, npy_of, npz};
    use super::*;
    use proptest::prelude::*;
    use zip::CompressionMethod::{Deflated, Stored};

    /// What comes of the array `a` of these bytes, the message without the folder.
    fn read(bytes: &[u8]) -> Result<Array, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        std::fs::write(&path, bytes).unwrap();
        let array = Archive::open(&path).and_then(|mut archive| archive.read("a"));
        array.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn stored_and_deflated_arrays_by_name() {
        let zeros = vec![0.0; 20_000];
        for method in [Stored, Deflated] {
            let entries = [("b.npy", npy_of("(2,)", &[1.0, 2.0])), ("a.npy", npy_of("(200, 100)", &zeros))];
            let bytes = npz(method, entries.into_iter().chain([("readme.txt", b"not an array".to_vec())]));
            assert_eq!(bytes.len() < 2000, method == Deflated);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.npz");
            std::fs::write(&path, &bytes).unwrap();
            let mut archive = Archive::open(&path).unwrap();
            assert_eq!((archive.names().collect::<Vec<_>>(), archive.has("readme.txt")), (vec!["a", "b"], false));
            assert_eq!(archive.read("a").unwrap().shape(), [200, 100]);
            assert_eq!(archive.read("b").unwrap().values(), [1.0, 2.0]);
            assert_eq!(archive.path(), path);
        }
    }

    #[test]
    fn damaged_archives_are_explained() {
        let good = npz(Stored, [("a.npy", npy_of("(4,)", &[1.0, 2.0, 3.0, 4.0]))]);
        let message = |bytes: &[u8]| read(bytes).unwrap_err();
        for bytes in [&b""[..], b"task,worker,label\n", &good[..good.len() - 30]] {
            let message = message(bytes);
            assert!(message.starts_with("x.npz: this is not a .npz archive ("), "{message}");
            assert!(message.ends_with("); write it with numpy.savez"), "{message}");
        }
        assert_eq!(
            message(&npz(Stored, [("b.npy", vec![]), ("c.npy", vec![])])),
            "x.npz: there is no array `a`; present are `b`, `c`"
        );
        assert_eq!(message(&npz(Stored, [("a", vec![])])), "x.npz: there is no array `a`; present are none");
        assert_eq!(
            message(&npz(Deflated, [("a.npy", b"hello".to_vec())])),
            "x.npz, array `a`: this is not a .npy array; write it with numpy.save or numpy.savez"
        );
        let mut flipped = good.clone();
        let at = flipped.windows(8).position(|bytes| bytes == 3f64.to_le_bytes()).unwrap();
        flipped[at] ^= 1;
        let checksum = message(&flipped);
        assert!(checksum.starts_with("x.npz, array `a`: the array cannot be read: "), "{checksum}");
        assert!(checksum.to_lowercase().contains("checksum"), "{checksum}");
        let missing = Archive::open(Path::new("no-such-folder/x.npz")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no-such-folder/x.npz: "), "{missing}");
    }

    #[test]
    fn promises_are_held_against_what_the_archive_states() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }";
        for method in [Stored, Deflated] {
            assert_eq!(
                read(&npz(method, [("a.npy", npy(1, header, &vec![0; 1 << 16]))])).unwrap_err(),
                "x.npz, array `a`: the header promises 8796093022208 bytes of numbers, but there are 65536; the array is damaged, save it again"
            );
        }
        // The archive states more than it holds.
        let honest = npz(Deflated, [("a.npy", npy_of("(8,)", &[0.0; 8]))]);
        let size = npy_of("(8,)", &[0.0; 8]).len() as u32;
        let stated = |size: u32| {
            let mut bytes = honest.clone();
            let old = (npy_of("(8,)", &[0.0; 8]).len() as u32).to_le_bytes();
            while let Some(at) = bytes.windows(4).position(|window| window == old) {
                bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
            }
            bytes
        };
        for size in [size - 1, size + 1, u32::MAX - 1] {
            let message = read(&stated(size)).unwrap_err();
            assert!(
                message.contains("array `a`: the header promises 64 bytes of numbers, but there are "),
                "{message}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn damage_anywhere(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), deflated: bool) {
            let method = if deflated { Deflated } else { Stored };
            let mut bytes = npz(method, [("a.npy", npy_of("(4,)", &[1.0, 2.0, 3.0, 4.0]))]);
            for (at, byte) in places {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Err(message) = read(&bytes) {
                prop_assert!(message.len() > 10);
            }
        }
    }
}
