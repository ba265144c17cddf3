/* gzip as it comes: whole, byte by byte, in several members, cut off, damaged, and as a bomb. */
#include "http/inflation.h"

#include "cmocka.h"

#include "base/attr.h"
#include "base/buf.h"
#include "http/http.h"

enum { MANY = 100'000 /* letters */ };

/* RFC 1952: "zip"; and MANY times the letter a, made by gzip -9n. */
#define ZIP "\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xca\x2c\0\0\x46\x95\x1d\x42\x03\0\0\0"
static const char letters[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac\xeb\x5f"
    "\xc2\x1a\x1e\x40\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xaf\x06\x87\xfa\xe2\x1b\xa0\x86\x01"
    "\x00";

struct seen {
    enum inflation_step last;
    bool is_whole;
    struct buf text;
};

static struct seen read_in_pieces(str input, size_t piece_len)
{
    CLEANUP(inflation_freep) struct inflation *inflation = inflation_new();
    struct seen seen = {.last = INFLATION_MORE, .text = buf_init(1 << 20)};
    for (size_t at = 0; at < input.len && seen.last == INFLATION_MORE; at += piece_len) {
        str piece = str_slice(input, at, at + piece_len < input.len ? at + piece_len : input.len);
        str out;
        while ((seen.last = inflation_next(inflation, &piece, &out)) == INFLATION_DATA) {
            assert_true(out.len > 0);
            assert_true(buf_put_str(&seen.text, out));
        }
        assert_true(piece.len == 0 || seen.last != INFLATION_MORE);
    }
    seen.is_whole = inflation_is_whole(inflation);
    return seen;
}

static void seen_done(struct seen *seen)
{
    buf_done(&seen->text);
}

/* clang-format off: a row is a line */
static const struct row {
    const char *name;
    str input;
    enum inflation_step last;
    bool is_whole;
    const char *text;
} rows[] = {
    {"a text", {ZIP, sizeof ZIP - 1}, INFLATION_MORE, true, "zip"},
    {"two members", {ZIP ZIP, 2 * (sizeof ZIP - 1)}, INFLATION_MORE, true, "zipzip"},
    {"nothing", {"", 0}, INFLATION_MORE, false, ""},
    {"half a head", {ZIP, 5}, INFLATION_MORE, false, ""},
    {"without its checksum", {ZIP, sizeof ZIP - 9}, INFLATION_MORE, false, "zip"},
    {"without the last byte", {ZIP, sizeof ZIP - 2}, INFLATION_MORE, false, "zip"},
    {"half of a second member", {ZIP ZIP, sizeof ZIP + 4}, INFLATION_MORE, false, "zip"},
    {"no gzip", {"zip", 3}, INFLATION_BAD, false, ""},
    {"zlib", {"\x78\x9c\x03\0\0\0\0\x01", 8}, INFLATION_BAD, false, ""},
    {"another text behind it", {ZIP "zip", sizeof ZIP + 2}, INFLATION_BAD, false, "zip"},
    {"another checksum",
     {"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xca\x2c\0\0\x46\x95\x1d\x43\x03\0\0\0", sizeof ZIP - 1},
     INFLATION_BAD,
     false,
     "zip"},
    {"another length",
     {"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xca\x2c\0\0\x46\x95\x1d\x42\x04\0\0\0", sizeof ZIP - 1},
     INFLATION_BAD,
     false,
     "zip"},
    {"a block of no known kind",
     {"\x1f\x8b\x08\0\0\0\0\0\0\x03\x07", 11},
     INFLATION_BAD,
     false,
     ""},
};
/* clang-format on */

static void rows_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece_len = 1; piece_len <= rows[i].input.len + 1; piece_len++) {
            CLEANUP(seen_done) struct seen seen = read_in_pieces(rows[i].input, piece_len);
            if (seen.last != rows[i].last) print_error("%s, %zu\n", rows[i].name, piece_len);
            assert_int_equal(seen.last, rows[i].last);
            assert_int_equal(seen.is_whole, rows[i].is_whole);
            /* What was damaged may be told before all of it has come out. */
            if (seen.last == INFLATION_BAD) continue;
            assert_true(str_is(buf_str(&seen.text), rows[i].text));
        }
    }
}

static void more_than_its_room_comes_out(void **state)
{
    (void)state;
    const str input                     = {.ptr = letters, .len = sizeof letters - 1};
    CLEANUP(seen_done) struct seen seen = read_in_pieces(input, input.len);
    assert_int_equal(seen.last, INFLATION_MORE);
    assert_true(seen.is_whole);
    assert_int_equal(seen.text.len, MANY);
    for (size_t i = 0; i < MANY; i++) assert_int_equal(seen.text.ptr[i], 'a');
}

/* Each member is a thousand times as large as it came. */
static void bombs_are_refused(void **state)
{
    (void)state;
    CLEANUP(inflation_freep) struct inflation *inflation = inflation_new();
    enum inflation_step last                             = INFLATION_MORE;
    uint64_t received                                    = 0;
    uint64_t made                                        = 0;
    for (int i = 0; i < 100 && last == INFLATION_MORE; i++) {
        str input = {.ptr = letters, .len = sizeof letters - 1};
        str out;
        received += input.len;
        while ((last = inflation_next(inflation, &input, &out)) == INFLATION_DATA) made += out.len;
    }
    assert_int_equal(last, INFLATION_BOMB);
    assert_true(made >= INFLATION_FREE - MANY);
    assert_true(made <= INFLATION_FREE + received * HTTP_INFLATION_MAX);
}

/* Blocks and members in which nothing is; each with the same in between, which is fine. */
static void what_holds_nothing_is_refused(void **state)
{
    static const struct {
        str head, again;
    } hollow[] = {
        {{"\x1f\x8b\x08\0\0\0\0\0\0\x03", 10}, {"\0\0\0\xff\xff", 5}},
        {{"", 0}, {"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", 20}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hollow); i++) {
        CLEANUP(inflation_freep) struct inflation *inflation = inflation_new();
        enum inflation_step last                             = INFLATION_MORE;
        uint64_t received                                    = hollow[i].head.len;
        str out;
        str head = hollow[i].head;
        assert_int_equal(inflation_next(inflation, &head, &out), INFLATION_MORE);
        while (last == INFLATION_MORE) {
            str again = hollow[i].again;
            last      = inflation_next(inflation, &again, &out);
            if (last == INFLATION_MORE) received += hollow[i].again.len;
        }
        assert_int_equal(last, INFLATION_EMPTY);
        assert_true(received <= INFLATION_WASTE_FREE);
        assert_true(received + hollow[i].again.len > INFLATION_WASTE_FREE);
    }
}

/* One byte at a time, each flushed: as much as any stream that is of use takes. */
static void what_is_flushed_often_passes(void **state)
{
    enum { BYTES = 100'000 };
    static const char byte[] = "\x4a\x04\0\0\0\xff\xff"; /* fixed codes: "a"; stored: nothing */
    CLEANUP(inflation_freep) struct inflation *inflation = inflation_new();
    enum inflation_step last                             = INFLATION_MORE;
    size_t made                                          = 0;
    str head = {.ptr = "\x1f\x8b\x08\0\0\0\0\0\0\x03", .len = 10};
    str out;
    (void)state;
    assert_int_equal(inflation_next(inflation, &head, &out), INFLATION_MORE);
    for (size_t i = 0; i < BYTES; i++) {
        str input = {.ptr = byte, .len = sizeof byte - 1};
        while ((last = inflation_next(inflation, &input, &out)) == INFLATION_DATA) made += out.len;
        assert_int_equal(last, INFLATION_MORE);
    }
    assert_int_equal(made, BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(more_than_its_room_comes_out),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(what_holds_nothing_is_refused),
        cmocka_unit_test(what_is_flushed_often_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
