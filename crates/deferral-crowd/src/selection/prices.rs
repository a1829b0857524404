//! What labels cost, checked where it enters.

use deferral_core::{Newcomer, ParameterError};

/// Passes prices of m workers.
pub(crate) fn check_prices(prices: &[f64], m: usize) -> Result<(), ParameterError> {
    let expected = format!("one for each of the {m} workers");
    ParameterError::check(prices.len() == m, "the number of prices", prices.len(), &expected)?;
    check_each(prices)
}

/// Passes prices of m experts, or of those and the classifier; none are fine too.
pub(crate) fn check_prices_of_team(prices: Option<&[f64]>, experts: usize) -> Result<(), ParameterError> {
    let Some(prices) = prices else { return Ok(()) };
    let expected = format!("{experts}, one for each expert, or one more for the classifier at the end");
    let ok = prices.len() == experts || prices.len() == experts + 1;
    ParameterError::check(ok, "the number of prices", prices.len(), &expected)?;
    check_each(prices)
}

/// The price of somebody who joins: 1 if it is no finite number of 0 or more, as for those of whom nothing is said.
pub(crate) fn price_of_newcomer(newcomer: Newcomer<'_>) -> f64 {
    if newcomer.price.is_finite() && newcomer.price >= 0.0 { newcomer.price } else { 1.0 }
}

fn check_each(prices: &[f64]) -> Result<(), ParameterError> {
    match prices.iter().position(|price| !(price.is_finite() && *price >= 0.0)) {
        None => Ok(()),
        Some(worker) => {
            let parameter = format!("the price of worker {worker}");
            Err(ParameterError::new(parameter, prices[worker], "a finite number, 0 or more"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::knapsack::price_of;

    #[test]
    fn prices_are_checked() {
        assert!(check_prices_of_team(Some(&[1.0, 2.0, 0.5]), 2).is_ok());
        let message = |prices: &[f64]| check_prices_of_team(Some(prices), 2).unwrap_err().to_string();
        let expected =
            "the number of prices is 1, but must be 2, one for each expert, or one more for the classifier at the end";
        assert_eq!(message(&[1.0]), expected);
        assert_eq!(message(&[1.0, -2.0]), "the price of worker 1 is -2, but must be a finite number, 0 or more");
        assert_eq!((price_of(None, 1, 2), price_of(None, 2, 2), price_of(Some(&[3.0, 4.0]), 1, 2)), (1.0, 0.0, 4.0));
    }
}
