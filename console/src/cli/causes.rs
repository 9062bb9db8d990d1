//! Faults that have one cause, which is told once.

/// The faults by their cause. The causes, and the faults of each, keep their order.
pub(super) fn by_cause<T, C: PartialEq>(
    faults: impl IntoIterator<Item = T>,
    cause: impl Fn(&T) -> C,
) -> Vec<Vec<T>> {
    let mut causes: Vec<(C, Vec<T>)> = Vec::new();
    for fault in faults {
        let own = cause(&fault);
        match causes.iter_mut().find(|(known, _)| *known == own) {
            Some((_, of_cause)) => of_cause.push(fault),
            None => causes.push((own, vec![fault])),
        }
    }
    causes.into_iter().map(|(_, faults)| faults).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_one_cause_are_together_in_the_order_in_which_they_came() {
        let faults = ["b:queue", "a:topic", "b:alarms", "c:api"];
        let together = by_cause(faults, |fault| fault.split_once(':').unwrap().0);
        let expected = [vec!["b:queue", "b:alarms"], vec!["a:topic"], vec!["c:api"]];
        assert_eq!(together, expected);
    }
}
