//! What stands before the numbers of a `.npy` file: their type, their order and the shape of the array.

use std::io::{self, Read};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// A header of three entries has about a hundred bytes; `NumPy` itself refuses more than this without being told.
const LONGEST: u32 = 10_000;

/// Why an array was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The bytes do not begin as a `.npy` file does.
    #[error("this is not a .npy array; write it with numpy.save or numpy.savez")]
    NotNpy,
    /// The format is newer than what can be read.
    #[error("the array has format version {0}.{1}, but versions 1.0, 2.0 and 3.0 can be read; save it again")]
    Version(u8, u8),
    /// The header is not the dictionary that the format asks for.
    #[error("the header is damaged: {0}; save the array again")]
    Header(String),
    /// The array does not hold numbers that can be read.
    #[error(
        "the array holds {what} (`{descr}`); save numbers instead, such as array.astype('<f8') (real and integer numbers of up to 8 bytes and booleans can be read)"
    )]
    Type {
        /// The type in words.
        what: &'static str,
        /// The type as `NumPy` writes it.
        descr: String,
    },
    /// The array has more than two dimensions.
    #[error("the array has {0} dimensions, but at most 2 can be read; reshape it")]
    Dimensions(usize),
    /// The header promises another number of bytes than there are.
    #[error(
        "the header promises {promised} bytes of numbers, but there are {found}; the array is damaged, save it again"
    )]
    Size {
        /// What the header says; the most that can be counted if it is more.
        promised: u64,
        /// What there is.
        found: u64,
    },
    /// The bytes could not be read.
    #[error("the array cannot be read: {0}")]
    Read(String),
}

impl From<io::Error> for NpyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Header("the array ends inside it".to_owned()),
            _ => Self::Read(error.to_string()),
        }
    }
}

/// How the numbers of an array are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: Number,
    /// Whether the first index runs fastest.
    pub(crate) fortran: bool,
    /// At most two dimensions.
    pub(crate) shape: Vec<usize>,
    /// Bytes before the numbers.
    pub(crate) length: u64,
}

/// The type of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    kind: Kind,
    /// Bytes, at most 8.
    pub(crate) size: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Real,
}

impl Header {
    /// Reads a header and nothing after it.
    pub(crate) fn read(from: &mut impl Read) -> Result<Self, NpyError> {
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => NpyError::NotNpy,
            _ => error.into(),
        })?;
        if !start.starts_with(MAGIC) {
            return Err(NpyError::NotNpy);
        }
        let (before, length) = match (start[6], start[7]) {
            (1, 0) => (10, u32::from(u16::from_le_bytes(bytes(from)?))),
            (2 | 3, 0) => (12, u32::from_le_bytes(bytes(from)?)),
            (major, minor) => return Err(NpyError::Version(major, minor)),
        };
        if length > LONGEST {
            return Err(NpyError::Header(format!("it has {length} bytes, more than {LONGEST}")));
        }
        let mut text = vec![0; length as usize];
        from.read_exact(&mut text)?;
        let text = std::str::from_utf8(&text).map_err(|_| NpyError::Header("it is not text".to_owned()))?;
        let (descr, fortran, shape) = Dictionary(text).parse()?;
        if shape.len() > 2 {
            return Err(NpyError::Dimensions(shape.len()));
        }
        Ok(Self { number: Number::of(descr)?, fortran, shape, length: before + u64::from(length) })
    }

    /// Bytes of all numbers together; `None` if that is more than can be counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let sizes = self.shape.iter().chain([&self.number.size]);
        sizes.map(|&size| size as u64).try_fold(1, u64::checked_mul)
    }
}

fn bytes<const N: usize>(from: &mut impl Read) -> Result<[u8; N], NpyError> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Number {
    /// The type called `descr`: byte order, kind, size.
    fn of(descr: &str) -> Result<Self, NpyError> {
        let refused = |what| NpyError::Type { what, descr: descr.to_owned() };
        let (order, rest) = match descr.as_bytes() {
            [order @ (b'<' | b'>' | b'|'), rest @ ..] => (*order, rest),
            _ => return Err(refused("numbers of a type that is not known")),
        };
        let (kind, size) = match rest {
            b"b1" => (Kind::Bool, 1),
            [b'i', size @ (b'1' | b'2' | b'4' | b'8')] => (Kind::Signed, size - b'0'),
            [b'u', size @ (b'1' | b'2' | b'4' | b'8')] => (Kind::Unsigned, size - b'0'),
            [b'f', size @ (b'4' | b'8')] => (Kind::Real, size - b'0'),
            [b'O', ..] => return Err(refused("Python objects")),
            [b'S' | b'U' | b'a', ..] => return Err(refused("texts")),
            [b'c', ..] => return Err(refused("complex numbers")),
            [b'M' | b'm', ..] => return Err(refused("dates or times")),
            [b'V', ..] => return Err(refused("records of several fields")),
            [b'f', ..] => return Err(refused("real numbers of an unusual size")),
            _ => return Err(refused("numbers of a type that is not known")),
        };
        if size > 1 && order == b'|' {
            return Err(refused("numbers without a byte order"));
        }
        Ok(Self { kind, size: usize::from(size), big_endian: order == b'>' })
    }

    /// The number in the first [`Number::size`] of `bytes`; integers beyond 2^53 are rounded.
    pub(crate) fn decode(self, bytes: &[u8]) -> f64 {
        let mut bits = [0; 8];
        for (at, &byte) in bytes.iter().take(self.size).enumerate() {
            bits[if self.big_endian { self.size - 1 - at } else { at }] = byte;
        }
        let bits = u64::from_le_bytes(bits);
        match self.kind {
            Kind::Bool => f64::from(u8::from(bits != 0)),
            Kind::Unsigned => bits as f64,
            Kind::Signed => {
                // Shifted up and down again, the sign fills the upper bytes.
                let unused = 64 - 8 * self.size;
                ((bits << unused).cast_signed() >> unused) as f64
            }
            Kind::Real if self.size == 4 => f64::from(f32::from_bits(bits as u32)),
            Kind::Real => f64::from_bits(bits),
        }
    }
}

/// What is left of a Python dictionary such as `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`.
struct Dictionary<'a>(&'a str);

impl<'a> Dictionary<'a> {
    /// Exactly the three entries of the format, in any order.
    fn parse(mut self) -> Result<(&'a str, bool, Vec<usize>), NpyError> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.takes('}') {
            let key = self.string()?;
            self.expect(':')?;
            let repeated = match key {
                "descr" => descr.replace(self.descr()?).is_some(),
                "fortran_order" => fortran.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(self.shape()?).is_some(),
                _ => return Err(NpyError::Header(format!("it has an unknown entry `{}`", key.escape_debug()))),
            };
            if repeated {
                return Err(NpyError::Header(format!("it has two entries `{key}`")));
            }
            if !self.takes(',') {
                self.expect('}')?;
                break;
            }
        }
        if !self.0.trim().is_empty() {
            return Err(NpyError::Header("something follows the dictionary".to_owned()));
        }
        let lacks = |key: &str| NpyError::Header(format!("it has no entry `{key}`"));
        Ok((
            descr.ok_or_else(|| lacks("descr"))?,
            fortran.ok_or_else(|| lacks("fortran_order"))?,
            shape.ok_or_else(|| lacks("shape"))?,
        ))
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start();
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), NpyError> {
        if self.takes(wanted) { Ok(()) } else { Err(self.unexpected(&format!("`{wanted}`"))) }
    }

    fn string(&mut self) -> Result<&'a str, NpyError> {
        let quote = if self.takes('"') { '"' } else { '\'' };
        if quote == '\'' {
            self.expect(quote)?;
        }
        let (string, rest) = self.0.split_once(quote).ok_or_else(|| self.unexpected("a closing quote"))?;
        self.0 = rest;
        Ok(string)
    }

    /// The type of an array is a string; that of records is a list of fields.
    fn descr(&mut self) -> Result<&'a str, NpyError> {
        if self.takes('[') {
            return Err(NpyError::Type { what: "records of several fields", descr: "[...]".to_owned() });
        }
        self.string()
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.0 = self.0.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    fn shape(&mut self) -> Result<Vec<usize>, NpyError> {
        let mut shape = Vec::new();
        self.expect('(')?;
        while !self.takes(')') {
            shape.push(self.size()?);
            if !self.takes(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }

    fn size(&mut self) -> Result<usize, NpyError> {
        self.0 = self.0.trim_start();
        let digits = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(digits);
        let size = number.parse().map_err(|_| self.unexpected("a size"))?;
        self.0 = rest;
        Ok(size)
    }

    fn unexpected(&self, wanted: &str) -> NpyError {
        const SHOWN: usize = 20;
        let there: String = self.0.chars().take(SHOWN).collect();
        NpyError::Header(match there.trim_end() {
            "" => format!("it ends where {wanted} should be"),
            there => format!("it has `{}` where {wanted} should be", there.escape_debug()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(&str, bool, Vec<usize>), NpyError> {
        Dictionary(text).parse()
    }

    #[test]
    fn dictionaries_as_numpy_and_others_write_them() {
        let expected = Ok(("<f8", false, vec![3, 2]));
        for text in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }      \n",
            "{\"shape\":(3,2),\"fortran_order\":False,\"descr\":\"<f8\"}",
            " { 'descr' : '<f8' ,'fortran_order':False, 'shape' : ( 3 , 2 , ) } ",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("{'descr':'|b1','fortran_order':True,'shape':()}"), Ok(("|b1", true, vec![])));
        assert_eq!(parse("{'descr':'|b1','fortran_order':True,'shape':(7,)}"), Ok(("|b1", true, vec![7])));
    }

    #[test]
    fn damaged_dictionaries_are_explained() {
        let message = |text: &str| match parse(text).unwrap_err() {
            NpyError::Header(reason) => reason,
            other => other.to_string(),
        };
        for (text, expected) in [
            ("", "it ends where `{` should be"),
            ("{'descr': '<f8', 'shape': (3,)}", "it has no entry `fortran_order`"),
            ("{'descr': '<f8', 'descr': '<f4'}", "it has two entries `descr`"),
            ("{'dtype': '<f8'}", "it has an unknown entry `dtype`"),
            ("{'descr': '<f8}", "it has `<f8}` where a closing quote should be"),
            ("{'fortran_order': 0}", "it has `0}` where True or False should be"),
            ("{'shape': (-3,)}", "it has `-3,)}` where a size should be"),
            ("{'shape': (99999999999999999999,)}", "it has `99999999999999999999` where a size should be"),
            ("{'shape': (3 2)}", "it has `2)}` where `)` should be"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} import os", "something follows the dictionary"),
        ] {
            assert_eq!(message(text), expected, "{text}");
        }
    }

    #[test]
    fn types_that_are_not_numbers_are_named() {
        let what = |descr: &str| match Number::of(descr) {
            Err(NpyError::Type { what, .. }) => what,
            other => panic!("{descr}: {other:?}"),
        };
        for (descr, expected) in [
            ("|O", "Python objects"),
            ("<U5", "texts"),
            ("|S3", "texts"),
            ("<c16", "complex numbers"),
            ("<M8[ns]", "dates or times"),
            ("|V8", "records of several fields"),
            ("<f2", "real numbers of an unusual size"),
            ("<f16", "real numbers of an unusual size"),
            ("<i3", "numbers of a type that is not known"),
            ("f8", "numbers of a type that is not known"),
            ("", "numbers of a type that is not known"),
            ("\u{20ac}", "numbers of a type that is not known"),
            ("|i4", "numbers without a byte order"),
        ] {
            assert_eq!(what(descr), expected, "{descr}");
        }
        assert_eq!(
            Number::of("|O").unwrap_err().to_string(),
            "the array holds Python objects (`|O`); save numbers instead, such as array.astype('<f8') (real and integer numbers of up to 8 bytes and booleans can be read)"
        );
        assert!(matches!(parse("{'descr': [('a', '<f4')]}"), Err(NpyError::Type { .. })));
    }

    #[test]
    fn numbers_of_every_type_and_byte_order() {
        let decode = |descr: &str, bytes: &[u8]| Number::of(descr).unwrap().decode(bytes);
        assert_eq!(decode("<f8", &(-2.5f64).to_le_bytes()), -2.5);
        assert_eq!(decode(">f8", &1e-300f64.to_be_bytes()), 1e-300);
        assert_eq!(decode("<f4", &0.1f32.to_le_bytes()), f64::from(0.1f32));
        assert_eq!(decode(">f4", &(-7.0f32).to_be_bytes()), -7.0);
        assert_eq!(decode("|i1", &[0xff]), -1.0);
        assert_eq!(decode("<i2", &(-300i16).to_le_bytes()), -300.0);
        assert_eq!(decode(">i4", &(-70_000i32).to_be_bytes()), -70_000.0);
        assert_eq!(decode("<i8", &i64::MIN.to_le_bytes()), i64::MIN as f64);
        assert_eq!(decode(">i8", &(-5i64).to_be_bytes()), -5.0);
        assert_eq!(decode("|u1", &[0xff]), 255.0);
        assert_eq!(decode(">u2", &[1, 2]), 258.0);
        assert_eq!(decode("<u4", &u32::MAX.to_le_bytes()), f64::from(u32::MAX));
        assert_eq!(decode(">u8", &(1u64 << 63).to_be_bytes()), 9_223_372_036_854_775_808.0);
        assert_eq!((decode("|b1", &[0]), decode("|b1", &[1])), (0.0, 1.0));
    }
}
