#include "http/sse.h"

#include "cmocka.h"

#include "base/buf.h"

/* --- Streams and what they say ---------------------------------------------------------------- */

struct row {
    const char *name, *stream;
    size_t len;         /* of `stream` */
    const char *events; /* "name(id)data;" of each */
    int64_t retry_ms;
    bool is_clean;
};

#define STREAM(text) text, sizeof(text) - 1

static const struct row rows[] = {
    {"nothing", STREAM(""), "", -1, true},
    {"one event", STREAM("data: hello\n\n"), "message()hello;", -1, true},
    {"without space", STREAM("data:hello\n\n"), "message()hello;", -1, true},
    {"one space only", STREAM("data:  hello\n\n"), "message() hello;", -1, true},
    {"CRLF", STREAM("data: a\r\n\r\ndata: b\r\n\r\n"), "message()a;message()b;", -1, true},
    {"CR", STREAM("data: a\r\rdata: b\r\r"), "message()a;message()b;", -1, true},
    {"mixed ends", STREAM("data: a\r\n\ndata: b\n\r\n"), "message()a;message()b;", -1, true},
    {"joined lines", STREAM("data: a\ndata\ndata: b\n\n"), "message()a\n\nb;", -1, true},
    {"empty data", STREAM("data\n\n"), "message();", -1, true},
    {"empty data, twice", STREAM("data:\ndata:\n\n"), "message()\n;", -1, true},
    {"names", STREAM("event: ping\ndata: 1\n\ndata: 2\n\n"), "ping()1;message()2;", -1, true},
    {"name without data", STREAM("event: ping\n\ndata: 2\n\n"), "message()2;", -1, true},
    {"last name wins", STREAM("event: a\nevent: b\ndata: 1\n\n"), "b()1;", -1, true},
    {"ids last", STREAM("id: 7\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n"),
     "message(7)1;message(7)2;message()3;", -1, true},
    {"id with NUL is none", STREAM("id: a\0b\ndata: 1\n\n"), "message()1;", -1, true},
    {"comments", STREAM(": ping\n:\n\n:data: x\ndata: 1\n\n"), "message()1;", -1, true},
    {"unknown fields", STREAM("foo: bar\nDATA: x\n data: y\ndata: 1\n\n"), "message()1;", -1, true},
    {"retry", STREAM("retry: 1500\n\n"), "", 1500, true},
    {"bad retry", STREAM("retry: 15s\nretry:\nretry: -1\nretry: 99999999999999999999\n\n"), "", -1,
     true},
    {"byte-order mark",
     STREAM("\xef\xbb\xbf"
            "data: 1\n\n"),
     "message()1;", -1, true},
    {"second mark is text",
     STREAM("\xef\xbb\xbf\xef\xbb\xbf"
            "data: 1\n\n"),
     "", -1, true},
    {"half a mark",
     STREAM("\xef\xbb"
            "data: 1\n\n"),
     "", -1, true},
    {"only half a mark", STREAM("\xef\xbb"), "", -1, false},
    {"UTF-8", STREAM("data: \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\n"),
     "message()\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80;", -1, true},
    {"cut in a line", STREAM("data: 1\n\ndata: 2"), "message()1;", -1, false},
    {"cut in an event", STREAM("data: 1\n\ndata: 2\n"), "message()1;", -1, false},
    {"done marker", STREAM("data: {}\n\ndata: [DONE]\n\n"), "message(){};message()[DONE];", -1,
     true},
};

static status note(const struct sse_event *event, void *context)
{
    struct buf *out = context;
    assert_true(buf_printf(out, STR_FMT "(" STR_FMT ")", STR_ARG(event->name), STR_ARG(event->id)));
    assert_true(buf_put_str(out, event->data));
    assert_true(buf_put_byte(out, ';'));
    return STATUS_OK;
}

/* Feeds a stream in pieces: up to `first`, then of `rest` bytes each. */
static void check_cut(const struct row *row, size_t first, size_t rest)
{
    CLEANUP(buf_done) struct buf out = buf_init(4096);
    CLEANUP(sse_done) struct sse sse;
    sse_init(&sse, 0, note, &out);
    size_t size = first;
    for (size_t at = 0; at < row->len; at += size, size = at == first ? rest : size) {
        str piece = str_slice((str){row->stream, row->len}, at, at + size);
        if (size == 0) continue;
        assert_int_equal(sse_feed(&sse, piece, NULL), STATUS_OK);
    }
    assert_string_equal(buf_str(&out).ptr, row->events);
    assert_int_equal(sse.retry_ms, row->retry_ms);
    assert_int_equal(sse_is_clean(&sse), row->is_clean);
}

static void every_cut_gives_the_same(void **state)
{
    const struct row *row = *state;
    check_cut(row, row->len + 1, 1);
    check_cut(row, 1, 1);
    for (size_t at = 1; at < row->len; at++) check_cut(row, at, row->len);
}

/* --- Limits and failures ---------------------------------------------------------------------- */

static status refuse(const struct sse_event *, void *)
{
    return STATUS_CANCELLED;
}

static void consumer_ends_it(void **state)
{
    (void)state;
    CLEANUP(sse_done) struct sse sse;
    sse_init(&sse, 0, refuse, NULL);
    assert_int_equal(sse_feed(&sse, str_from("data: 1\n\ndata: 2\n\n"), NULL), STATUS_CANCELLED);
}

static void limits_hold(void **state)
{
    (void)state;
    static const struct {
        const char *stream;
        status code;
    } limits[] = {
        {"data: 34567890\n\n", STATUS_OK}, /* a line of 14 bytes, an event of 9 with its LF */
        {"data: 345678901234567\n", STATUS_RESOURCE_EXHAUSTED},         /* the line */
        {":34567890123456789\n", STATUS_RESOURCE_EXHAUSTED},            /* also a comment */
        {"data: 3456789\ndata: 3456789\n", STATUS_OK},                  /* 16 bytes */
        {"data: 3456789\ndata: 34567890\n", STATUS_RESOURCE_EXHAUSTED}, /* 17 */
        {"3456789012345678", STATUS_OK},
        {"34567890123456789", STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(4096);
        CLEANUP(sse_done) struct sse sse;
        struct error error = {};
        sse_init(&sse, 16, note, &out);
        assert_int_equal(sse_feed(&sse, str_from(limits[i].stream), &error), limits[i].code);
    }
    CLEANUP(buf_done) struct buf name = buf_init(4096);
    assert_true(buf_put_text(&name, "event: "));
    for (int i = 0; i <= SSE_NAME_MAX; i++) assert_true(buf_put_byte(&name, 'x'));
    assert_true(buf_put_byte(&name, '\n'));
    CLEANUP(sse_done) struct sse sse;
    sse_init(&sse, 0, note, &name);
    assert_int_equal(sse_feed(&sse, buf_str(&name), NULL), STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, every_cut_gives_the_same, &rows[i]);
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(consumer_ends_it);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(limits_hold);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
