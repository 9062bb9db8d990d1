//! `cost`: what a month of this environment costs, by its own metrics.
//!
//! Invariant: what has no metric is shown as unknown and is in no sum.

use chrono::Utc;
use pipeline::cost::CostEstimate;

use super::table::{Align, Keep, Table};
use super::{CommandError, Exit, Session};
use crate::text::{count, whole};

const UNKNOWN: &str = "unknown";

pub(super) async fn run(session: &Session) -> Result<Exit, CommandError> {
    let estimate = session.pipeline.cost(Utc::now()).await?;
    let output = session.output;
    if output.is_json() {
        output.json(&estimate)?;
    } else {
        output.table(&table(&estimate))?;
        output.text(&sums(&estimate))?;
    }
    Ok(Exit::Done)
}

fn table(estimate: &CostEstimate) -> Table {
    let mut table = Table::new(&[
        ("SERVICE", Align::Left, Keep::Always),
        ("WHAT", Align::Left, Keep::Always),
        ("A MONTH", Align::Right, Keep::Always),
        ("PRICE OF A MILLION", Align::Right, Keep::Drop(1)),
        ("USD A MONTH", Align::Right, Keep::Always),
        ("NOTE", Align::Left, Keep::Drop(2)),
    ]);
    for line in &estimate.lines {
        let quantity = line.quantity_per_month.map(|it| count(whole(it)));
        table.row([
            line.service,
            line.what,
            quantity.as_deref().unwrap_or(UNKNOWN),
            &format!("{:.2}", line.usd_per_unit * 1e6),
            &usd(line.usd_per_month),
            &line.note,
        ]);
    }
    table
}

fn sums(estimate: &CostEstimate) -> String {
    let mut text = format!(
        "\na month            {}\na million events   {}\nan idle month      {}   (the database's capacity alone, at its lowest hour)\n",
        usd(estimate.usd_per_month),
        usd(estimate.usd_per_million_events),
        usd(estimate.usd_per_idle_month),
    );
    let hours = whole(estimate.observed_hours);
    text.push_str(&if estimate.usd_per_month.is_some() {
        format!(
            "\nfrom the metrics of {} h; {}\nnot included: {}\n",
            count(hours),
            estimate.prices,
            estimate.not_included
        )
    } else {
        "\na month is computed from at least one hour of metrics\n".to_owned()
    });
    text
}

fn usd(amount: Option<f64>) -> String {
    amount.map_or_else(|| UNKNOWN.to_owned(), |usd| format!("{usd:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_amounts_are_no_zeros() {
        assert_eq!(usd(None), UNKNOWN);
        assert_eq!(usd(Some(0.004)), "0.00");
    }
}
