//! Subsets under a budget: exact where prices are whole numbers, greedy elsewhere.

use deferral_core::ParameterError;

/// Entries of the largest table that an exact search fills; above it the search is greedy.
const TABLE: f64 = 4e6;

/// Sums that differ by less than this share are equal: the same numbers added up in another order are.
const EQUAL: f64 = 1e-12;

/// What may be taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Item {
    pub(crate) value: f64,
    pub(crate) price: f64,
}

/// What one label of `worker` costs: the given price, else 1, and nothing for the classifier, who is worker `experts`.
pub(crate) fn price_of(prices: Option<&[f64]>, worker: usize, experts: usize) -> f64 {
    let default = if worker == experts { 0.0 } else { 1.0 };
    prices.and_then(|prices| prices.get(worker)).copied().unwrap_or(default)
}

/// Passes a budget.
pub(crate) fn check_budget(budget: f64) -> Result<(), ParameterError> {
    ParameterError::check(budget.is_finite() && budget >= 0.0, "the budget", budget, "a finite number, 0 or more")
}

/// The items of largest total value whose total price is at most `budget`. Exact for whole prices, O(items x budget);
/// else greedy by value for the price and at least half as valuable as the best.
pub(crate) fn most_valuable(items: &[Item], budget: f64) -> Vec<usize> {
    if let Some((prices, capacity)) = whole_prices(items, budget, 1) {
        return Table::fill(items, prices, capacity, None).subset(0, capacity);
    }
    let several = greedy(items, budget, items.len());
    let one = greedy(items, budget, 1);
    if value(items, &one) > value(items, &several) { one } else { several }
}

/// For each size from 1 to `most` the affordable items of largest total value, exactly so many; nothing where there is
/// no such set. Exact for whole prices, O(items x most x budget); else greedy, and sometimes smaller than asked for.
pub(crate) fn most_valuable_by_size(items: &[Item], budget: f64, most: usize) -> Vec<Vec<usize>> {
    let most = most.min(items.len());
    if let Some((prices, capacity)) = whole_prices(items, budget, most + 1) {
        let table = Table::fill(items, prices, capacity, Some(most));
        return (1..=most).map(|size| table.subset(size, capacity)).collect();
    }
    (1..=most).map(|size| greedy(items, budget, size)).collect()
}

/// The cheapest items whose total value is at least `target`; nothing if all together fall short. Exact for whole
/// prices, O(items x total price); else greedy by price for the value, without those that turn out not to be needed.
pub(crate) fn cheapest_worth(items: &[Item], target: f64) -> Option<Vec<usize>> {
    let enough = |value: f64| value >= target * (1.0 - EQUAL);
    let everything: Vec<usize> = (0..items.len()).collect();
    if !enough(value(items, &everything)) {
        return None;
    }
    if let Some((prices, capacity)) = whole_prices(items, f64::INFINITY, 1) {
        let table = Table::fill(items, prices, capacity, None);
        let price = (0..capacity).find(|&price| enough(table.best[price])).unwrap_or(capacity);
        return Some(table.subset(0, price));
    }
    let mut taken = Vec::new();
    let mut total = 0.0;
    for item in by_value_for_price(items) {
        if enough(total) {
            break;
        }
        taken.push(item);
        total += items[item].value;
    }
    let mut dear_first = taken.clone();
    dear_first.sort_by(|&a, &b| items[b].price.total_cmp(&items[a].price).then(a.cmp(&b)));
    for item in dear_first.into_iter().filter(|&item| items[item].price > 0.0) {
        if enough(total - items[item].value) {
            total -= items[item].value;
            taken.retain(|&kept| kept != item);
        }
    }
    taken.sort_unstable();
    Some(taken)
}

fn value(items: &[Item], taken: &[usize]) -> f64 {
    taken.iter().map(|&item| items[item].value).sum()
}

fn by_value_for_price(items: &[Item]) -> Vec<usize> {
    let rate = |item: usize| items[item].value / items[item].price;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| rate(b).total_cmp(&rate(a)).then(a.cmp(&b)));
    order
}

/// At most `size` affordable items by value for the price, each then exchanged once for a better one that is
/// affordable.
fn greedy(items: &[Item], budget: f64, size: usize) -> Vec<usize> {
    let fits = |price: f64| price <= budget * (1.0 + EQUAL);
    let mut taken = Vec::new();
    let mut spent = 0.0;
    for item in by_value_for_price(items) {
        if taken.len() < size && fits(spent + items[item].price) {
            taken.push(item);
            spent += items[item].price;
        }
    }
    for place in 0..taken.len() {
        let others = spent - items[taken[place]].price;
        let better = (0..items.len())
            .filter(|item| !taken.contains(item) && fits(others + items[*item].price))
            .filter(|&item| items[item].value > items[taken[place]].value)
            .max_by(|&a, &b| items[a].value.total_cmp(&items[b].value).then(b.cmp(&a)));
        if let Some(item) = better {
            taken[place] = item;
            spent = others + items[item].price;
        }
    }
    taken.sort_unstable();
    taken
}

/// Prices and budget as whole numbers, if prices are and a table with so many layers is not too large.
fn whole_prices(items: &[Item], budget: f64, layers: usize) -> Option<(Vec<usize>, usize)> {
    let total: f64 = items.iter().map(|item| item.price).sum();
    let capacity = budget.min(total).floor();
    let entries = items.len() as f64 * layers as f64 * (capacity + 1.0);
    let whole = items.iter().all(|item| item.price >= 0.0 && item.price.fract() == 0.0);
    (whole && entries <= TABLE).then(|| (items.iter().map(|item| item.price as usize).collect(), capacity as usize))
}

/// The largest values by price, and, if sizes are told apart, by number of items.
struct Table {
    prices: Vec<usize>,
    /// One more item, so many layers higher.
    step: usize,
    width: usize,
    /// The largest value of a subset of at most this price, layer after layer.
    best: Vec<f64>,
    /// For each item and entry of `best` whether the item is in the best subset of it and those before.
    taken: Vec<bool>,
}

impl Table {
    fn fill(items: &[Item], prices: Vec<usize>, capacity: usize, size: Option<usize>) -> Self {
        let (step, layers) = size.map_or((0, 1), |size| (1, size + 1));
        let width = capacity + 1;
        let mut best = vec![f64::NEG_INFINITY; layers * width];
        best[..width].fill(0.0);
        let mut taken = vec![false; items.len() * best.len()];
        for (item, taken) in taken.chunks_exact_mut(best.len()).enumerate() {
            for layer in (step..layers).rev() {
                for price in (prices[item]..width).rev() {
                    let with = best[(layer - step) * width + price - prices[item]] + items[item].value;
                    let entry = layer * width + price;
                    if with > best[entry] {
                        best[entry] = with;
                        taken[entry] = true;
                    }
                }
            }
        }
        Self { prices, step, width, best, taken }
    }

    /// The best subset, sorted.
    fn subset(&self, mut layer: usize, mut price: usize) -> Vec<usize> {
        let mut subset = Vec::new();
        for (item, taken) in self.taken.chunks_exact(self.best.len()).enumerate().rev() {
            if taken[layer * self.width + price] {
                subset.push(item);
                layer -= self.step;
                price -= self.prices[item];
            }
        }
        subset.reverse();
        subset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All subsets of the items.
    fn subsets(items: &[Item]) -> impl Iterator<Item = Vec<usize>> {
        let n = items.len();
        (0..1u32 << n).map(move |bits| (0..n).filter(|item| bits >> item & 1 == 1).collect())
    }

    fn price(items: &[Item], taken: &[usize]) -> f64 {
        taken.iter().map(|&item| items[item].price).sum()
    }

    fn largest(values: impl Iterator<Item = f64>) -> f64 {
        values.fold(f64::NEG_INFINITY, f64::max)
    }

    fn items(whole: bool) -> impl Strategy<Value = Vec<Item>> {
        let item = (0.01..3.0f64, 0..8u8, 0.01..0.99f64).prop_map(move |(value, euros, cents)| {
            let price = if whole { f64::from(euros) } else { f64::from(euros) + cents };
            Item { value, price }
        });
        proptest::collection::vec(item, 0..=10)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whole_prices_are_spent_best(items in items(true), budget in 0..30u8) {
            let budget = f64::from(budget);
            let taken = most_valuable(&items, budget);
            prop_assert!(price(&items, &taken) <= budget);
            let affordable = |set: &Vec<usize>| price(&items, set) <= budget;
            let best = largest(subsets(&items).filter(affordable).map(|set| value(&items, &set)));
            prop_assert!((value(&items, &taken) - best).abs() < 1e-9);
        }

        #[test]
        fn every_size_is_spent_best(items in items(true), budget in 0..30u8, most in 1..=10usize) {
            let budget = f64::from(budget);
            for (i, taken) in most_valuable_by_size(&items, budget, most).iter().enumerate() {
                let affordable = |set: &Vec<usize>| set.len() == i + 1 && price(&items, set) <= budget;
                let best = largest(subsets(&items).filter(affordable).map(|set| value(&items, &set)));
                if best == f64::NEG_INFINITY {
                    prop_assert!(taken.is_empty());
                } else {
                    prop_assert_eq!(taken.len(), i + 1);
                    prop_assert!(price(&items, taken) <= budget && (value(&items, taken) - best).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn what_is_needed_is_bought_cheapest(items in items(true), target in 0.1..12.0f64) {
            let worth = |set: &Vec<usize>| value(&items, set) >= target;
            let cheapest = -largest(subsets(&items).filter(worth).map(|set| -price(&items, &set)));
            let taken = cheapest_worth(&items, target);
            prop_assert_eq!(taken.as_ref().map_or(f64::INFINITY, |taken| price(&items, taken)), cheapest);
            prop_assert!(taken.is_none_or(|taken| value(&items, &taken) >= target - 1e-9));
        }

        #[test]
        fn other_prices_are_spent_well(items in items(false), budget in 0.0..30.0f64, most in 1..=10usize) {
            let taken = most_valuable(&items, budget);
            prop_assert!(price(&items, &taken) <= budget + 1e-9);
            let affordable = |set: &Vec<usize>| price(&items, set) <= budget;
            let best = largest(subsets(&items).filter(affordable).map(|set| value(&items, &set)));
            prop_assert!(value(&items, &taken) >= best / 2.0);
            for (i, taken) in most_valuable_by_size(&items, budget, most).iter().enumerate() {
                prop_assert!(taken.len() <= i + 1 && price(&items, taken) <= budget + 1e-9);
            }
        }

        #[test]
        fn at_other_prices_nothing_needless_is_bought(items in items(false), target in 0.1..12.0f64) {
            let everything: Vec<usize> = (0..items.len()).collect();
            match cheapest_worth(&items, target) {
                Some(taken) => {
                    let total = value(&items, &taken);
                    prop_assert!(total >= target - 1e-9);
                    prop_assert!(taken.iter().all(|&item| total - items[item].value < target + 1e-9));
                }
                None => prop_assert!(value(&items, &everything) < target),
            }
        }
    }

    #[test]
    fn too_large_a_table_is_not_filled() {
        let items =
            [Item { value: 1.0, price: 1e15 }, Item { value: 2.0, price: 1e15 }, Item { value: 0.1, price: 0.0 }];
        assert_eq!(most_valuable(&items, 1.5e15), [1, 2]);
        assert_eq!(cheapest_worth(&items, 2.1), Some(vec![1, 2]));
    }

    #[test]
    fn tenths_that_add_up_to_the_budget_are_affordable() {
        let items = [Item { value: 1.0, price: 0.1 }, Item { value: 1.0, price: 0.2 }];
        assert_eq!(most_valuable(&items, 0.3), [0, 1]);
    }
}
