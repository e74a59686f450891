//! The table of known cases, and random streams against a second reading that shares no code.

use proptest::prelude::*;

use super::*;

fn message(kind: &str, data: &str, id: &str) -> Item {
    Item::Message(Message { kind: kind.into(), data: data.into(), id: id.into() })
}

fn data(data: &str) -> Item {
    message("message", data, "")
}

fn retry(millis: u64) -> Item {
    Item::Retry(Duration::from_millis(millis))
}

fn read(stream: &[u8], size: usize) -> (Vec<Item>, Result<(), TooLong>) {
    let mut reader = EventStream::new(Bounds::default(), "");
    let mut items = Vec::new();
    let result = stream.chunks(size).try_for_each(|piece| reader.read(piece, &mut items));
    (items, result)
}

#[track_caller]
fn check(stream: impl AsRef<[u8]>, expected: &[Item]) {
    let stream = stream.as_ref();
    for size in (1..=stream.len().max(1)).rev() {
        assert_eq!(read(stream, size), (expected.to_vec(), Ok(())), "{:?} by {size}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn lines_end_with_any_of_three_ends_wherever_the_pieces_end() {
    for end in ["\n", "\r", "\r\n"] {
        check(["data: a", "data: b", "", "data: c", "", ""].join(end), &[data("a\nb"), data("c")]);
    }
    check("data: a\r\ndata: b\rdata: c\n\n", &[data("a\nb\nc")]);
    check("data: a\n\r\ndata: b\r\r", &[data("a"), data("b")]);
    // A return and a feed are one end, a feed and a return are two.
    check("data: a\n\rdata: b\r\n\r\n", &[data("a"), data("b")]);
    // One character outside ASCII is no end of a line.
    check("data: a\u{2028}b\u{85}c\u{b}d\n\n", &[data("a\u{2028}b\u{85}c\u{b}d")]);
}

#[test]
fn one_byte_order_mark_goes_and_no_other() {
    check("\u{feff}data: a\n\n", &[data("a")]);
    check("\u{feff}\u{feff}data: a\n\ndata: b\n\n", &[data("b")]);
    check("data: a\n\n\u{feff}data: b\n\n", &[data("a")]);
    check("\n\u{feff}data: a\n\n", &[]);
    check("\u{feff}", &[]);
}

#[test]
fn a_field_has_a_name_and_a_value_less_one_space() {
    check("data:a\ndata: b\ndata:  c\ndata:\td\n\n", &[data("a\nb\n c\n\td")]);
    check("data\n\n", &[data("")]);
    check("data:\n\n", &[data("")]);
    check("data\ndata\n\n", &[data("\n")]);
    check("data: \n\n", &[data("")]);
    check("data: a:b: c\n\n", &[data("a:b: c")]);
    // Names are as they are written.
    check("Data: a\n data: b\ndata : c\ndataa: d\n\ndata: e\n\n", &[data("e")]);
    check("foo\nbar: baz\ndata: a\n\n", &[data("a")]);
}

#[test]
fn comments_are_told_and_are_no_event() {
    let comment = Item::Comment;
    let expected = [comment.clone(), comment.clone(), comment.clone(), comment.clone(), data("b"), comment.clone()];
    check(": a\n:\n::\ndata: b\n: data: c\n\n: d\n\n", &expected);
    check(":\n\n\n\n", &[comment]);
}

#[test]
fn an_event_has_the_last_type_and_none_of_the_event_before() {
    check("event: a\nevent: b\ndata: 1\n\ndata: 2\n\n", &[message("b", "1", ""), data("2")]);
    check("event: a\nevent\ndata: 1\n\n", &[data("1")]);
    check("event: message\ndata: 1\n\n", &[data("1")]);
    // Without data it is no event, and its type is forgotten.
    check("event: a\n\ndata: 1\n\n", &[data("1")]);
    check("event:  a \ndata: 1\n\n", &[message(" a ", "1", "")]);
}

#[test]
fn an_id_counts_from_its_event_on_until_the_next() {
    check(
        "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
        &[message("message", "a", "1"), message("message", "b", "1"), data("c")],
    );
    check("data: a\nid: 1\n\n", &[message("message", "a", "1")]);
    check("id: 1\nid: 2\ndata: a\n\n", &[message("message", "a", "2")]);
    // Without data it is no event, but its id counts.
    check("id: 1\n\ndata: a\n\n", &[message("message", "a", "1")]);
    // With NUL it is none.
    check("id: 1\nid: 2\0\ndata: a\n\n", &[message("message", "a", "1")]);
    check("id: \u{e4}\ndata: a\n\n", &[message("message", "a", "\u{e4}")]);
}

#[test]
fn the_id_to_go_on_from_is_that_of_a_whole_block() {
    let mut reader = EventStream::new(Bounds::default(), "7");
    let mut items = Vec::new();
    assert_eq!(reader.last_event_id(), "7");
    reader.read(b"data: a\n\nid: 8\n", &mut items).unwrap();
    assert_eq!((reader.last_event_id(), &items[..]), ("7", &[message("message", "a", "7")][..]));
    reader.read(b"\n", &mut items).unwrap();
    assert_eq!((reader.last_event_id(), items.len()), ("8", 1));
    reader.read(b"id\n\n", &mut items).unwrap();
    assert_eq!(reader.last_event_id(), "");
}

#[test]
fn retry_counts_as_soon_as_it_is_read_and_only_with_digits() {
    check("retry: 3000\n", &[retry(3000)]);
    check("data: a\nretry:007\n\n", &[retry(7), data("a")]);
    for value in ["", " ", "-1", "+1", "1.5", "3s", "1e3", "\u{663}", " 1", "1 ", "0x10"] {
        check(format!("retry: {value}\ndata: a\n\n"), &[data("a")]);
    }
    check("retry: 99999999999999999999999999\n", &[retry(u64::MAX)]);
}

#[test]
fn an_event_that_is_not_ended_is_dropped() {
    for end in ["", "\n", "\r", "\ndata: b\nid: 2\nevent: c"] {
        check(format!("data: a\n\ndata: b{end}"), &[data("a")]);
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_characters_may_be_cut_between_pieces() {
    check("data: \u{20ac}\u{1f600}\n\n", &[data("\u{20ac}\u{1f600}")]);
    check(b"data: \xffa\xf0\x9f\x98\n\n", &[data("\u{fffd}a\u{fffd}")]);
    check(b"data: \xc3\ndata: \xa9\n\n", &[data("\u{fffd}\n\u{fffd}")]);
    check(b"d\xffata: a\n\n", &[]);
    check("data: a\0b\n\n", &[data("a\0b")]);
}

#[test]
fn a_line_and_an_event_have_a_bound_and_what_came_before_is_kept() {
    let bounds = Bounds { line: 20, event: 30 };
    let read = |stream: &str| {
        let mut items = Vec::new();
        (EventStream::new(bounds, "").read(stream.as_bytes(), &mut items), items)
    };
    assert_eq!(read(&format!("data: 1\n\n{}", "x".repeat(20))), (Ok(()), vec![data("1")]));
    assert_eq!(read(&format!("data: 1\n\n{}", "x".repeat(21))), (Err(TooLong::Line(20)), vec![data("1")]));
    assert_eq!(read(&format!("data: 1\n\n:{}\n", "x".repeat(20))), (Err(TooLong::Line(20)), vec![data("1")]));
    let fourteen = "x".repeat(14);
    let whole = format!("data: {fourteen}\ndata: {fourteen}\n\n");
    assert_eq!(read(&whole), (Ok(()), vec![data(&format!("{fourteen}\n{fourteen}"))]));
    assert_eq!(read(&format!("data: 1\n\ndata\n{whole}")), (Err(TooLong::Event(30)), vec![data("1")]));
    // A line too long for it in pieces as well.
    let mut reader = EventStream::new(bounds, "");
    assert_eq!((0..21).try_for_each(|_| reader.read(b"x", &mut Vec::new())), Err(TooLong::Line(20)));
}

/// The same, read by its words: the whole text first, then its lines, then its blocks.
fn slowly(stream: &[u8]) -> Vec<Item> {
    let text = String::from_utf8_lossy(stream).into_owned();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let Some((ended, _)) = text.rsplit_once('\n') else { return Vec::new() };
    let (mut items, mut id) = (Vec::new(), String::new());
    let (mut kind, mut lines) = (String::new(), Vec::new());
    for line in ended.split('\n') {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match name {
            _ if line.is_empty() => {
                let kind = std::mem::take(&mut kind);
                let lines = std::mem::take(&mut lines);
                if !lines.is_empty() {
                    let kind = if kind.is_empty() { "message" } else { &kind };
                    items.push(message(kind, &lines.join("\n"), &id));
                }
            }
            "" => items.push(Item::Comment),
            "event" => kind = value,
            "data" => lines.push(value),
            "id" if !value.contains('\0') => id = value,
            "retry" if !value.is_empty() && value.chars().all(|digit| digit.is_ascii_digit()) => {
                items.push(retry(value.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    items
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "data",
        "event",
        "id",
        "retry",
        ":",
        ": ",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "a",
        "7",
        "\0",
        "\u{feff}",
        "\u{e4}",
        "data: x\n\n",
        "id: 1\n",
        "event: e\n",
        "retry: 10\n",
    ]);
    prop_oneof![9 => word.prop_map(|word| word.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 1..4)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn whatever_the_pieces_it_is_read_as_if_it_were_whole(pieces in prop::collection::vec(piece(), 0..40)) {
        let expected = slowly(&pieces.concat());
        let mut reader = EventStream::new(Bounds::default(), "");
        let mut items = Vec::new();
        for piece in &pieces {
            reader.read(piece, &mut items).unwrap();
        }
        prop_assert_eq!(&items, &expected);
        prop_assert_eq!(read(&pieces.concat(), 1).0, expected);
    }
}
