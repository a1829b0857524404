//! One array of numbers in the own format of `NumPy`, `.npy`.

use std::io::{self, Read};

use super::header::{Header, NpyError, Number};

/// An array of numbers with at most two dimensions, in the order of C: row after row.
///
/// Read from the formats `.npy` 1.0, 2.0 and 3.0: real and integer numbers of up to 8 bytes and booleans, of both byte
/// orders, in the order of C or of Fortran. Integers beyond 2^53 are rounded to the nearest `f64`.
///
/// ```
/// use deferral_data::numpy::Array;
/// let header = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }";
/// let mut file = b"\x93NUMPY\x01\x00".to_vec();
/// file.extend((header.len() as u16).to_le_bytes());
/// file.extend(header.as_bytes());
/// file.extend([1i16, 4, 2, 5, 3, 6].iter().flat_map(|number| number.to_le_bytes()));
/// let array = Array::from_bytes(&file)?;
/// assert_eq!(array.shape(), [2, 3]);
/// assert_eq!(array.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// # Ok::<(), deferral_data::numpy::NpyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    /// Reads the bytes of a whole `.npy` file. 8 bytes a number, 16 at the peak for the order of Fortran.
    ///
    /// # Errors
    /// [`NpyError`] says what is wrong; a header that promises another number of bytes than there are is refused before
    /// anything is allocated for them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NpyError> {
        Self::read(bytes, bytes.len() as u64)
    }

    /// Reads a `.npy` file of `length` bytes, the last of which is the end. What is allocated grows with what is read,
    /// so that a wrong length cannot take more than there is.
    ///
    /// # Errors
    /// As [`Array::from_bytes`], also if reading fails.
    pub fn read(mut from: impl Read, length: u64) -> Result<Self, NpyError> {
        let header = Header::read(&mut from)?;
        let found = length.saturating_sub(header.length);
        let promised = header.bytes().unwrap_or(u64::MAX);
        if promised != found {
            return Err(NpyError::Size { promised, found });
        }
        let values = numbers(&mut from, header.number, promised)?;
        // Archives check what they hold only when its end is read.
        if from.read(&mut [0]).map_err(NpyError::from)? > 0 {
            return Err(NpyError::Size { promised, found: promised.saturating_add(1) });
        }
        let values = match header.shape[..] {
            [rows, columns] if header.fortran => transposed(&values, rows, columns),
            _ => values,
        };
        Ok(Self { shape: header.shape, values })
    }

    /// The sizes of the dimensions: none for a single number, at most two.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// All numbers, row after row. They need not be finite.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The numbers alone.
    pub fn into_values(self) -> Vec<f64> {
        self.values
    }
}

/// `bytes` bytes of numbers.
fn numbers(from: &mut impl Read, number: Number, bytes: u64) -> Result<Vec<f64>, NpyError> {
    // A whole number of numbers of any size.
    let mut block = [0; 1 << 13];
    let mut values = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(block.len() as u64);
        let part = &mut block[..size as usize];
        from.read_exact(part).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => NpyError::Read("it ends before its last number".to_owned()),
            _ => error.into(),
        })?;
        values.extend(part.chunks_exact(number.size).map(|bytes| number.decode(bytes)));
        left -= size;
    }
    Ok(values)
}

/// Columns of `rows` numbers, one after the other, as rows.
fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let row = |row: usize| values.iter().skip(row).step_by(rows.max(1)).take(columns).copied();
    let rows = if values.is_empty() { 0 } else { rows };
    (0..rows).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{npy, npy_of};
    use super::*;
    use proptest::prelude::*;

    fn message(bytes: &[u8]) -> String {
        Array::from_bytes(bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_version_and_shape() {
        for version in [1, 2, 3] {
            for (shape, expected) in [("()", vec![]), ("(1,)", vec![1]), ("(1, 1)", vec![1, 1])] {
                let header = format!("{{'descr': '>f8', 'fortran_order': False, 'shape': {shape}, }}\n");
                let array = Array::from_bytes(&npy(version, &header, &7.5f64.to_be_bytes())).unwrap();
                assert_eq!((array.shape(), array.values()), (&expected[..], &[7.5][..]));
            }
        }
        let empty = npy(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (99999999999, 0), }", &[]);
        assert_eq!(Array::from_bytes(&empty).unwrap().values(), [0.0; 0]);
    }

    #[test]
    fn more_numbers_than_a_block() {
        let numbers: Vec<f64> = (0..5000).map(f64::from).collect();
        assert_eq!(Array::from_bytes(&npy_of("(5000,)", &numbers)).unwrap().values(), numbers);
    }

    #[test]
    fn the_order_of_fortran_is_turned() {
        let bytes: Vec<u8> = [1, 3, 5, 2, 4, 6].to_vec();
        let array = Array::from_bytes(&npy(1, "{'descr':'|u1','fortran_order':True,'shape':(3,2)}", &bytes)).unwrap();
        assert_eq!(array.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let array = Array::from_bytes(&npy(1, "{'descr':'|u1','fortran_order':True,'shape':(6,)}", &bytes)).unwrap();
        assert_eq!(array.values(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn damaged_arrays_are_explained() {
        let good = npy_of("(2, 2)", &[1.0, 2.0, 3.0, 4.0]);
        let not_npy = "this is not a .npy array; write it with numpy.save or numpy.savez";
        assert_eq!(message(b""), not_npy);
        assert_eq!(message(b"\x93NUMP"), not_npy);
        assert_eq!(message(b"task,worker,label\n"), not_npy);
        assert_eq!(
            message(&good[..good.len() - 3]),
            "the header promises 32 bytes of numbers, but there are 29; the array is damaged, save it again"
        );
        assert_eq!(message(&good[..20]), "the header is damaged: the array ends inside it; save the array again");
        assert_eq!(
            message(&[&good[..], b"x"].concat()),
            "the header promises 32 bytes of numbers, but there are 33; the array is damaged, save it again"
        );
        let mut newer = good.clone();
        newer[6] = 9;
        assert_eq!(
            message(&newer),
            "the array has format version 9.0, but versions 1.0, 2.0 and 3.0 can be read; save it again"
        );
        assert_eq!(
            message(&npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1)}", &[0; 8])),
            "the array has 3 dimensions, but at most 2 can be read; reshape it"
        );
    }

    #[test]
    fn a_lying_header_takes_no_memory() {
        for shape in ["(4611686018427387904, 8)", "(1099511627776,)", "(4294967296, 4294967296)"] {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
            let file = npy(1, &header, &[0; 8]);
            assert!(message(&file).starts_with("the header promises "), "{shape}");
            // Nor does the length, if that lies too.
            if shape == "(1099511627776,)" {
                let length = file.len() as u64 - 8 + (8 << 40);
                let refused = Array::read(&file[..], length).unwrap_err().to_string();
                assert_eq!(refused, "the array cannot be read: it ends before its last number");
            }
        }
        let long = [&b"\x93NUMPY\x02\x00"[..], &u32::MAX.to_le_bytes()].concat();
        assert_eq!(
            message(&long),
            "the header is damaged: it has 4294967295 bytes, more than 10000; save the array again"
        );
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = Array::from_bytes(&bytes);
            let _ = Array::from_bytes(&[b"\x93NUMPY\x01\x00", &bytes[..]].concat());
        }

        #[test]
        fn any_header(
            header in "\\{('descr': ?'[<>|][fiubOU][0-9]{1,2}',? ?|'fortran_order': ?(True|False),? ?|'shape': ?\\([0-9]{0,20},? ?[0-9]{0,3}\\),? ?){0,4}\\}?",
            data: Vec<u8>,
        ) {
            let array = Array::from_bytes(&npy(1, &header, &data));
            if let Ok(array) = array {
                prop_assert_eq!(array.shape().iter().product::<usize>(), array.values().len());
            }
        }

        #[test]
        fn numbers_survive(rows in 0usize..5, columns in 0usize..5, numbers in prop::collection::vec(any::<f64>(), 25)) {
            let numbers = &numbers[..rows * columns];
            let array = Array::from_bytes(&npy_of(&format!("({rows}, {columns})"), numbers)).unwrap();
            prop_assert_eq!(array.shape(), [rows, columns]);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(array.values()), bits(numbers));
        }
    }
}
