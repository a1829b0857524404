//! Min-cost flow from cases to experts, case by case along cheapest chains: the engine of the best assignment.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use deferral_core::{Columns, ExpertId};

use crate::assignment::{Assignment, priced};

/// The best assignment of the cases that have entered, and prices that prove it: a case is where its gain less the
/// price is largest, and only full experts have a price above 0.
///
/// Nodes `0..m` are the experts, node m is "nobody", which always has room and costs nothing. Cases that have not
/// entered are with nobody: no case ever leaves that node, because prices only rise.
pub(crate) struct Flow<'a> {
    gains: &'a Columns,
    capacities: &'a [usize],
    /// The node of each case.
    node_of: Vec<usize>,
    /// How often a case came to each expert. A case leaves only as another comes, so an expert has room as long
    /// as fewer came than there are places.
    arrivals: Vec<usize>,
    /// The price of each node.
    prices: Vec<f64>,
    exits: Exits,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(gains: &'a Columns, capacities: &'a [usize]) -> Self {
        let m = gains.rows();
        let node_of = vec![m; gains.n()];
        Self { gains, capacities, node_of, arrivals: vec![0; m], prices: vec![0.0; m + 1], exits: Exits::new(m) }
    }

    /// Lets `case` in along the cheapest chain of cases that make way for one another.
    pub(crate) fn enter(&mut self, case: usize, search: &mut Search) {
        self.start(case, search);
        let end = self.nearest_with_room(search);
        self.raise_prices(search, search.distance[end]);
        self.shift(case, end, search);
    }

    /// The distance of each node from `case` alone: how much less it leaves the case than the case's favourite does.
    fn start(&self, case: usize, search: &mut Search) {
        search.reset();
        let surplus = |(gain, price): (&f64, &f64)| gain - price;
        let column = self.gains.column(case);
        let most = column.iter().zip(&self.prices).map(surplus).fold(0.0, f64::max);
        for (distance, pair) in search.distance.iter_mut().zip(column.iter().zip(&self.prices)) {
            // A case without a surplus is as well off with nobody, and will be, for prices only rise.
            if surplus(pair) > 0.0 {
                *distance = most - surplus(pair);
            }
        }
        search.distance[self.nobody()] = most;
    }

    fn nearest_with_room(&self, search: &mut Search) -> usize {
        loop {
            let node = search.settle_nearest();
            if self.has_room(node) {
                return node;
            }
            self.relax(node, search);
        }
    }

    /// Shortens distances by ways that move a case on from `node`.
    fn relax(&self, node: usize, search: &mut Search) {
        let (here, price) = (search.distance[node], self.prices[node]);
        let ways = self.exits.costs(node).iter().zip(&self.prices);
        for ((cost, price_there), (shortest, from)) in ways.zip(search.distance.iter_mut().zip(&mut search.from)) {
            // Never negative but for rounding, which must not reopen a settled node.
            let distance = here + (cost - price + price_there).max(0.0);
            if distance < *shortest {
                *shortest = distance;
                *from = Some(node);
            }
        }
    }

    /// Makes every node on a shortest way just as dear as the end of the way, so that the moves are worth their while.
    fn raise_prices(&mut self, search: &Search, length: f64) {
        for (price, distance) in self.prices.iter_mut().zip(&search.distance) {
            *price += (length - distance).max(0.0);
        }
    }

    /// Moves one case along every step of the way to `end`, and `case` to its beginning.
    fn shift(&mut self, case: usize, end: usize, search: &Search) {
        let (mut moves, mut left) = (Vec::new(), Vec::new());
        let mut node = end;
        while let Some(from) = search.from[node] {
            moves.extend(self.exits.first(from, node).map(|mover| (mover, node)));
            left.push(from);
            node = from;
        }
        moves.push((case, node));
        for &(mover, to) in &moves {
            self.node_of[mover] = to;
        }
        for (mover, to) in moves {
            self.arrive(mover, to);
        }
        for from in left {
            self.exits.refresh(from, &self.node_of);
        }
    }

    /// Lists the ways out of `node` that `case` brings. They matter only once the node is full, so when it is, all its
    /// cases are listed; and again from time to time, for the lists to lose cases that have left.
    fn arrive(&mut self, case: usize, node: usize) {
        if node == self.nobody() {
            return;
        }
        self.arrivals[node] += 1;
        let Some(since_full) = self.arrivals[node].checked_sub(self.capacities[node]) else {
            return;
        };
        // Going through n cases for as many arrivals as this costs no more than listing the arrivals.
        let period = self.capacities[node].max(self.node_of.len() / self.nobody()).max(1);
        if since_full.is_multiple_of(period) {
            self.list_all_exits(node);
        } else {
            self.list_exits(case, node);
        }
    }

    fn list_all_exits(&mut self, node: usize) {
        self.exits.clear(node);
        for case in 0..self.node_of.len() {
            if self.node_of[case] == node {
                self.list_exits(case, node);
            }
        }
    }

    /// Lists where `case` could go from `node`.
    fn list_exits(&mut self, case: usize, node: usize) {
        let column = self.gains.column(case);
        let gain = column[node];
        for (to, (gain_there, price)) in column.iter().zip(&self.prices).enumerate() {
            // Without a surplus there, "nobody" is at least as good, now and later.
            if to != node && gain_there > price {
                self.exits.push((node, to), Exit { cost: gain - gain_there, case });
            }
        }
        self.exits.push((node, self.nobody()), Exit { cost: gain, case });
    }

    fn has_room(&self, node: usize) -> bool {
        node == self.nobody() || self.arrivals[node] < self.capacities[node]
    }

    fn nobody(&self) -> usize {
        self.gains.rows()
    }

    pub(crate) fn finish(mut self) -> Assignment {
        let nobody = self.nobody();
        let expert = |&node: &usize| (node != nobody).then(|| ExpertId::at(node));
        let of_case = self.node_of.iter().map(expert).collect();
        self.prices.truncate(nobody);
        priced(self.gains, self.capacities, of_case, self.prices)
    }
}

/// One search for the cheapest way of a case through the nodes, by Dijkstra's method on a dense graph.
pub(crate) struct Search {
    distance: Vec<f64>,
    /// The node before on the shortest way; `None` where the case itself goes.
    from: Vec<Option<usize>>,
    settled: Vec<bool>,
}

impl Search {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { distance: vec![f64::INFINITY; nodes], from: vec![None; nodes], settled: vec![false; nodes] }
    }

    fn reset(&mut self) {
        self.distance.fill(f64::INFINITY);
        self.from.fill(None);
        self.settled.fill(false);
    }

    /// The nearest node that is not settled, the lowest on ties; it is settled now.
    fn settle_nearest(&mut self) -> usize {
        // From the last node, "nobody", which is always in reach and ends the search.
        let mut nearest = self.distance.len() - 1;
        let mut least = self.distance[nearest];
        for (node, (&distance, settled)) in self.distance.iter().zip(&self.settled).enumerate().rev() {
            if distance <= least && !settled {
                (nearest, least) = (node, distance);
            }
        }
        self.settled[nearest] = true;
        nearest
    }
}

/// For each pair of nodes, the cases that could move from the one to the other, the cheapest first. Cases that have
/// left stay listed until they come to the top.
struct Exits {
    /// m x (m + 1): from an expert to a node.
    heaps: Vec<BinaryHeap<Exit>>,
    /// The cost of the cheapest, infinite if there is none; beside the heaps so that a search reads numbers in a row.
    costs: Vec<f64>,
    nodes: usize,
}

impl Exits {
    fn new(experts: usize) -> Self {
        let nodes = experts + 1;
        let pairs = experts * nodes;
        Self { heaps: vec![BinaryHeap::new(); pairs], costs: vec![f64::INFINITY; pairs], nodes }
    }

    fn costs(&self, from: usize) -> &[f64] {
        &self.costs[self.row(from)]
    }

    fn row(&self, from: usize) -> Range<usize> {
        from * self.nodes..(from + 1) * self.nodes
    }

    /// The case that moves most cheaply.
    fn first(&self, from: usize, to: usize) -> Option<usize> {
        self.heaps[from * self.nodes + to].peek().map(|exit| exit.case)
    }

    fn push(&mut self, (from, to): (usize, usize), exit: Exit) {
        let at = from * self.nodes + to;
        self.heaps[at].push(exit);
        self.costs[at] = self.costs[at].min(exit.cost);
    }

    fn clear(&mut self, from: usize) {
        let row = self.row(from);
        self.heaps[row.clone()].iter_mut().for_each(BinaryHeap::clear);
        self.costs[row].fill(f64::INFINITY);
    }

    /// Drops the cases that are not at `from` any more from the tops of its heaps.
    fn refresh(&mut self, from: usize, node_of: &[usize]) {
        let row = self.row(from);
        for (heap, cost) in self.heaps[row.clone()].iter_mut().zip(&mut self.costs[row]) {
            while heap.peek().is_some_and(|exit| node_of[exit.case] != from) {
                heap.pop();
            }
            *cost = heap.peek().map_or(f64::INFINITY, |exit| exit.cost);
        }
    }
}

/// A case that could move, and what its move costs. The greatest is the cheapest and on ties the latest case, so that
/// earlier ones stay.
#[derive(Debug, Clone, Copy)]
struct Exit {
    cost: f64,
    case: usize,
}

impl Ord for Exit {
    fn cmp(&self, other: &Self) -> Ordering {
        other.cost.total_cmp(&self.cost).then(self.case.cmp(&other.case))
    }
}

impl PartialOrd for Exit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Exit {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Exit {}
