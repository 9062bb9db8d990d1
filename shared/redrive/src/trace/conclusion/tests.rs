use proptest::option::weighted;
use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + secs, 0).unwrap()
}

fn letter(verdict: Verdict) -> Letter {
    Letter {
        message_id: "m1".to_owned(),
        sent_at: at(5),
        is_moved: verdict == Verdict::Ready,
        reason: "missing-attribute: \"time\" is required".to_owned(),
        verdict,
        request_id: None,
    }
}

fn searched(found: Vec<Letter>) -> Letters {
    Letters::Searched {
        seen: 3,
        found,
        is_complete: true,
    }
}

fn evidence() -> Evidence {
    Evidence {
        ledger: Ledger::Never,
        letters: searched(Vec::new()),
        queue: Ok(0),
        sent_at: None,
        deleted: None,
        unread: None,
    }
}

fn of(change: impl FnOnce(&mut Evidence)) -> Conclusion {
    let mut evidence = evidence();
    change(&mut evidence);
    conclude(&evidence, "demo")
}

#[test]
fn each_state_is_one_sentence_with_its_next_step() {
    let record = Ledger::Record {
        record_id: RecordId(7),
        ingested_at: at(9),
    };
    let cases = [
        of(|evidence| evidence.ledger = record.clone()),
        of(|evidence| {
            evidence.ledger = record.clone();
            evidence.letters = searched(vec![letter(Verdict::AlreadyStored)]);
        }),
        of(|evidence| evidence.ledger = Ledger::Gone(RecordId(7))),
        of(|evidence| evidence.letters = searched(vec![letter(Verdict::Ready)])),
        of(|evidence| evidence.letters = searched(vec![letter(Verdict::StillInvalid)])),
        of(|evidence| {
            evidence.sent_at = Some(at(1));
            evidence.queue = Ok(12);
        }),
        of(|evidence| evidence.sent_at = Some(at(1))),
        of(|evidence| {
            evidence.sent_at = Some(at(1));
            evidence.deleted = Some((at(2), "q.jsonl".to_owned()));
        }),
        of(|_| {}),
        of(|evidence| {
            evidence.letters = Letters::NotSearched(Ok(37));
            evidence.queue = Ok(1);
        }),
        of(|evidence| evidence.unread = Some("journal: damaged".to_owned())),
        of(|evidence| {
            evidence.unread = Some("journal: damaged".to_owned());
            evidence.sent_at = Some(at(1));
        }),
        of(|evidence| evidence.letters = Letters::Failed("no answer".to_owned())),
        of(|evidence| evidence.queue = Err("no answer".to_owned())),
        of(|evidence| evidence.ledger = Ledger::Unknown("refused".to_owned())),
        of(|evidence| {
            evidence.ledger = Ledger::Unknown("refused".to_owned());
            evidence.letters = searched(vec![letter(Verdict::Ready)]);
        }),
    ];
    let lines = cases.iter().map(|case| {
        let Conclusion {
            state,
            text,
            next_step,
        } = case;
        format!("{}: {text}\n  {next_step}", state.as_str())
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.join("\n"), EXPECTED.trim());
}

const EXPECTED: &str = r#"
stored: stored once, as record 7 at 2026-11-18T11:06:49Z
  nothing is to be done
stored: stored once, as record 7 at 2026-11-18T11:06:49Z; a dead letter has the same identity
  compare it with the record, then delete it: opsconsole --env demo dlq show m1
gone: it was stored as record 7, and the record is gone: erased, or expired with its partition
  see the erasures of this machine: opsconsole --env demo audit
dead: dead, first sent at 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would take it now
  redrive it: opsconsole --env demo dlq redrive m1
dead: dead, since 2026-11-18T11:06:45Z: missing-attribute: "time" is required; the ingest would refuse it again
  mend it and redrive it: opsconsole --env demo redrive run m1 --patch PROGRAM
waiting: it has no record yet: it was sent at 2026-11-18T11:06:41Z, 12 messages are in the queue, and one may be it; it is not among 3 dead letters
  see whether the ingest keeps up: opsconsole --env demo status
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue is empty; it is not among 3 dead letters
  balance the hops: opsconsole --env demo account --since 24h
not-stored: it has no record: a dead letter of it was deleted at 2026-11-18T11:06:42Z; the queue is empty; it is not among 3 dead letters
  its copy is in q.jsonl; publish it again, mended where it has to be
not-seen: not seen anywhere: the ledger does not know it; the queue is empty; it is not among 3 dead letters
  check SOURCE and ID; ask the publisher whether SNS confirmed it
not-seen: not seen anywhere: the ledger does not know it; 1 message is in the queue, which cannot be searched; 37 messages are in the dead-letter queue, not searched
  search the dead letters too, which receives them: --search-dead-letters, or key d on the screen
unknown: it has no record; whether this machine sent it could not be read: journal: damaged; the queue is empty; it is not among 3 dead letters
  mend or move the file, and trace it again
not-stored: it has no record: it was sent at 2026-11-18T11:06:41Z; the queue is empty; it is not among 3 dead letters
  balance the hops: opsconsole --env demo account --since 24h
unknown: it has no record; whether it is dead could not be read: no answer
  make the queues reachable, and trace it again
unknown: it has no record; whether it waits in the queue could not be read: no answer
  make the queues reachable, and trace it again
unknown: whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
unknown: a dead letter of it is there, first sent at 2026-11-18T11:06:45Z (missing-attribute: "time" is required); whether it has a record could not be read: refused
  make the database or the API reachable, and trace it again
"#;

fn ledgers() -> impl Strategy<Value = Ledger> {
    prop_oneof![
        (1_i64..9, 0_i64..99).prop_map(|(id, secs)| Ledger::Record {
            record_id: RecordId(id),
            ingested_at: at(secs),
        }),
        (1_i64..9).prop_map(|id| Ledger::Gone(RecordId(id))),
        Just(Ledger::Never),
        Just(Ledger::Unknown("why".to_owned())),
    ]
}

fn letters() -> impl Strategy<Value = Letters> {
    let found = proptest::sample::subsequence(Verdict::ALL.to_vec(), 0..=2);
    prop_oneof![
        (0_u64..3).prop_map(|number| Letters::NotSearched(Ok(number))),
        Just(Letters::NotSearched(Err("why".to_owned()))),
        Just(Letters::Failed("why".to_owned())),
        (found, any::<bool>()).prop_map(|(verdicts, is_complete)| Letters::Searched {
            found: verdicts.into_iter().map(letter).collect(),
            seen: 3,
            is_complete,
        }),
    ]
}

proptest! {
    #[test]
    fn nothing_is_called_stored_that_the_ledger_does_not_know(
        ledger in ledgers(),
        letters in letters(),
        queue in prop_oneof![(0_u64..3).prop_map(Ok), Just(Err("why".to_owned()))],
        sent_at in weighted(0.3, (0_i64..99).prop_map(at)),
        deleted in weighted(0.3, (0_i64..99).prop_map(|secs| (at(secs), "f".to_owned()))),
        unread in weighted(0.7, Just("why".to_owned())),
    ) {
        let evidence = Evidence { ledger, letters, queue, sent_at, deleted, unread };
        let Conclusion { state, text, next_step } = conclude(&evidence, "demo");
        let is_known = matches!(evidence.ledger, Ledger::Record { .. } | Ledger::Gone(_));
        prop_assert_eq!(
            matches!(state, TraceState::Stored | TraceState::Gone),
            is_known
        );
        prop_assert_eq!(text.contains("stored"), is_known, "{}", text);
        prop_assert_eq!(
            state == TraceState::Stored,
            matches!(evidence.ledger, Ledger::Record { .. })
        );
        if matches!(evidence.ledger, Ledger::Unknown(_)) {
            prop_assert_eq!(state, TraceState::Unknown);
        }
        if evidence.unread.is_some() {
            prop_assert_ne!(state, TraceState::NotSeen);
        }
        prop_assert!(!next_step.is_empty() && !text.contains('\n'));
    }
}
