//! A logarithm that the compiler can compute for several numbers at once.

/// `ln x` of a positive normal number, to 1e-15 of the larger of 1 and the result: exponent and mantissa taken apart, the
/// mantissa `m` in `[sqrt 1/2, sqrt 2)` by the series `ln m = 2 (s + s^3/3 + s^5/5 + ...)`, `s = (m - 1) / (m + 1)`.
/// Without branches, and with operations that every processor has for vectors.
#[inline]
pub(crate) fn ln(x: f64) -> f64 {
    const BIAS: u64 = 1023;
    const HALF_ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
    // A number below 2^52 becomes a double by writing it into the mantissa of 2^52.
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    let bits = x.to_bits();
    let biased = bits.wrapping_sub(HALF_ROOT).wrapping_add(BIAS << 52) >> 52;
    let exponent = f64::from_bits(biased | TWO_52) - (4_503_599_627_370_496.0 + BIAS as f64);
    let mantissa = f64::from_bits(bits.wrapping_sub(biased.wrapping_sub(BIAS) << 52));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let low = 1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0)));
    let high = 1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0 + z * (1.0 / 15.0)));
    let fourth = z * z * z * z;
    exponent * std::f64::consts::LN_2 + 2.0 * s * (low + fourth * (high + fourth * (1.0 / 17.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_good_as_the_standard_one() {
        let mut x = 1e-300;
        while x < 1e300 {
            let error = (ln(x) - x.ln()).abs() / x.ln().abs().max(1.0);
            assert!(error < 1e-15, "{x}: {} {}", ln(x), x.ln());
            x *= 1.37;
        }
        assert_eq!(ln(1.0), 0.0);
    }
}
