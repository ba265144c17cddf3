/* Answers as they should be and as they should not: each in one piece, cut in two at each of its
 * bytes, and byte by byte. */
#include "http/plain_reply.h"

#include "cmocka.h"

#include "base/buf.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define TE "Transfer-Encoding: chunked\r\n"

enum end {
    COMPLETE,   /* the connection may be used again */
    LAST,       /* complete, and it may not */
    BY_CLOSING, /* not complete until the peer closes */
    UNFINISHED,
    BAD,
};

/* clang-format off: a row is a line */
static const struct row {
    const char *name;
    const char *text;
    enum end end;
    const char *body;
    size_t left; /* bytes behind the answer */
    bool is_to_head;
} rows[] = {
    {"length", OK "Content-Length: 3\r\n\r\nabc", COMPLETE, "abc", 0, false},
    {"length of nothing", OK "content-length:0\r\n\r\n", COMPLETE, "", 0, false},
    {"length that is too long", OK "Content-Length: 3\r\n\r\nab", UNFINISHED, "ab", 0, false},
    {"length that is too short", OK "Content-Length: 1\r\n\r\nabc", COMPLETE, "a", 2, false},
    {"until it closes", OK "\r\nabc", BY_CLOSING, "abc", 0, false},
    {"nothing until it closes", OK "\r\n", BY_CLOSING, "", 0, false},
    {"chunks", OK TE "\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", COMPLETE,
     "abc0123456789abcdef", 0, false},
    {"chunks with extensions", OK TE "\r\n3;a=b\r\nabc\r\n0;c\r\n\r\n", COMPLETE, "abc", 0, false},
    {"chunks with trailers", OK TE "\r\n1\r\na\r\n0\r\nA: b\r\nC:\r\n\r\n", COMPLETE, "a", 0,
     false},
    {"chunks and more", OK TE "\r\n1\r\na\r\n0\r\n\r\nHTTP", COMPLETE, "a", 4, false},
    {"chunks that are cut", OK TE "\r\n5\r\nabc", UNFINISHED, "abc", 0, false},
    {"chunks without the last one", OK TE "\r\n3\r\nabc\r\n", UNFINISHED, "abc", 0, false},
    {"chunks in another case", OK "transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", COMPLETE, "", 0,
     false},
    {"connection: close", OK "Connection: close\r\nContent-Length: 1\r\n\r\na", LAST, "a", 0,
     false},
    {"close in a list", OK "Connection: x, Close\r\nContent-Length: 1\r\n\r\na", LAST, "a", 0,
     false},
    {"http 1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", LAST, "a", 0, false},
    {"http 1.0 kept alive",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", COMPLETE, "a", 0,
     false},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", COMPLETE, "", 0, false},
    {"an empty reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", COMPLETE, "", 0, false},
    {"a reason beyond ASCII", "HTTP/1.1 200 \xC3\xA9\r\nContent-Length: 0\r\n\r\n", COMPLETE, "", 0,
     false},
    {"interim answers",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" OK
     "Content-Length: 1\r\n\r\na",
     COMPLETE, "a", 0, false},
    {"nothing but an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", UNFINISHED, "", 0, false},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", COMPLETE, "", 0, false},
    {"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", COMPLETE, "", 0,
     false},
    {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", COMPLETE, "", 0,
     false},
    {"to HEAD", OK "Content-Length: 5\r\n\r\n", COMPLETE, "", 0, true},
    {"to HEAD, chunks", OK TE "\r\n", COMPLETE, "", 0, true},
    {"to HEAD, nothing said", OK "\r\n", COMPLETE, "", 0, true},
    {"half a head", OK "Content-Le", UNFINISHED, "", 0, false},
    {"nothing", "", UNFINISHED, "", 0, false},

    {"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", BAD, "", 0, false},
    {"two lengths", OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", BAD, "", 0, false},
    {"the same length twice", OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", BAD, "", 0,
     false},
    {"a list of lengths", OK "Content-Length: 1, 1\r\n\r\na", BAD, "", 0, false},
    {"a negative length", OK "Content-Length: -1\r\n\r\n", BAD, "", 0, false},
    {"a length with a sign", OK "Content-Length: +1\r\n\r\na", BAD, "", 0, false},
    {"a length in hexadecimal", OK "Content-Length: 0x1\r\n\r\na", BAD, "", 0, false},
    {"a huge length", OK "Content-Length: 99999999999999999999\r\n\r\n", BAD, "", 0, false},
    {"an empty length", OK "Content-Length:\r\n\r\n", BAD, "", 0, false},
    {"length and chunks", OK "Content-Length: 1\r\n" TE "\r\n0\r\n\r\n", BAD, "", 0, false},
    {"chunks twice", OK TE TE "\r\n0\r\n\r\n", BAD, "", 0, false},
    {"another coding", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD, "", 0, false},
    {"a coding that is none", OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", BAD, "", 0, false},
    {"chunks in http 1.0", "HTTP/1.0 200 OK\r\n" TE "\r\n0\r\n\r\n", BAD, "", 0, false},
    {"a folded line", OK "A: b\r\n c\r\n\r\n", BAD, "", 0, false},
    {"space before the colon", OK "Content-Length : 1\r\n\r\na", BAD, "", 0, false},
    {"no colon", OK "Content-Length\r\n\r\n", BAD, "", 0, false},
    {"no name", OK ": b\r\n\r\n", BAD, "", 0, false},
    {"a bare lf", OK "A: b\nContent-Length: 1\r\n\r\n", BAD, "", 0, false},
    {"a bare cr", OK "A: b\rc\r\n\r\n", BAD, "", 0, false},
    {"an escape sequence", OK "A: \x1b[31m\r\n\r\n", BAD, "", 0, false},
    {"an empty line first", "\r\n" OK "\r\n", BAD, "", 0, false},
    {"no http", "SSH-2.0-OpenSSH_9.2p1\r\n", BAD, "", 0, false},
    {"http 0.9", "<html>", BAD, "", 0, false},
    {"http 2", "HTTP/2 200\r\n\r\n", BAD, "", 0, false},
    {"http 1.2", "HTTP/1.2 200 OK\r\n\r\n", BAD, "", 0, false},
    {"http in lower case", "http/1.1 200 OK\r\n\r\n", BAD, "", 0, false},
    {"a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", BAD, "", 0, false},
    {"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", BAD, "", 0, false},
    {"a status of letters", "HTTP/1.1 2x0 OK\r\n\r\n", BAD, "", 0, false},
    {"a status below all", "HTTP/1.1 099 OK\r\n\r\n", BAD, "", 0, false},
    {"a tab in the status line", "HTTP/1.1\t200 OK\r\n\r\n", BAD, "", 0, false},
    {"a chunk of a size that is none", OK TE "\r\nx\r\nabc\r\n", BAD, "", 0, false},
    {"a chunk size with 0x", OK TE "\r\n0x3\r\nabc\r\n0\r\n\r\n", BAD, "", 0, false},
    {"a chunk that is longer than its size", OK TE "\r\n2\r\nabc\r\n0\r\n\r\n", BAD, "ab", 0,
     false},
    {"a chunk size of nine digits", OK TE "\r\n100000000\r\n", BAD, "", 0, false},
    {"a trailer without a colon", OK TE "\r\n0\r\nA\r\n\r\n", BAD, "", 0, false},
};
/* clang-format on */

struct seen {
    struct reply reply;
    struct buf kept; /* as a connection keeps it */
    struct buf body;
    unsigned heads;
    enum reply_step last;
};

/* Gives the parser `text` behind what it left before. */
static void give(struct seen *seen, str text)
{
    assert_true(buf_put_str(&seen->kept, text));
    if (seen->last == REPLY_BAD || seen->last == REPLY_END) return;
    str input = buf_str(&seen->kept);
    str piece;
    do {
        seen->last = reply_next(&seen->reply, &input, &piece);
        if (seen->last == REPLY_LINES) seen->heads++;
        if (seen->last == REPLY_DATA) {
            assert_true(piece.len > 0);
            assert_ptr_equal(piece.ptr + piece.len, input.ptr); /* who pauses relies on it */
            assert_true(buf_put_str(&seen->body, piece));
        }
    } while (seen->last == REPLY_LINES || seen->last == REPLY_DATA);
    buf_consume(&seen->kept, seen->kept.len - input.len);
}

static void check(const struct row *row, struct seen *seen)
{
    assert_string_equal(buf_str(&seen->body).ptr, row->body);
    if (row->end == BAD) {
        assert_int_equal(seen->last, REPLY_BAD);
        assert_non_null(seen->reply.wrong);
    } else if (row->end == COMPLETE || row->end == LAST) {
        assert_int_equal(seen->last, REPLY_END);
        assert_int_equal(seen->reply.is_kept_alive, row->end == COMPLETE);
        assert_int_equal(seen->kept.len, row->left);
    } else {
        assert_int_equal(seen->last, REPLY_MORE);
        assert_int_equal(reply_ends_by_close(&seen->reply), row->end == BY_CLOSING);
        assert_false(seen->reply.is_kept_alive && row->end == BY_CLOSING);
    }
    buf_done(&seen->kept);
    buf_done(&seen->body);
}

/* `first` bytes, then pieces of `piece` bytes. */
static void run(const struct row *row, size_t first, size_t piece)
{
    str text         = str_from(row->text);
    struct seen seen = {.reply = reply_init(row->is_to_head),
                        .kept  = buf_init(1 << 16),
                        .body  = buf_init(1 << 16),
                        .last  = REPLY_MORE};
    give(&seen, str_slice(text, 0, first));
    for (size_t at = first; at < text.len; at += piece) {
        give(&seen, str_slice(text, at, at + piece));
    }
    check(row, &seen);
}

static void reads_in_any_pieces(void **state)
{
    const struct row *row = *state;
    size_t len            = strlen(row->text);
    run(row, len, 1);
    for (size_t first = 0; first < len; first++) {
        run(row, first, len);
        run(row, first, 1);
    }
}

/* A stream may have extensions without end, but no chunk has. */
static void extensions_are_limited(void **state)
{
    (void)state;
    str piece;
    struct reply reply = reply_init(false);
    str head           = str_from(OK TE "\r\n");
    assert_int_equal(reply_next(&reply, &head, &piece), REPLY_LINES);
    for (int i = 0; i < CHUNKS_EXTRA_MAX; i++) {
        str chunk = str_from("1;ext=\"some text\"\r\nx\r\n");
        assert_int_equal(reply_next(&reply, &chunk, &piece), REPLY_DATA);
        assert_int_equal(reply_next(&reply, &chunk, &piece), REPLY_MORE);
    }
    str begin = str_from("1;");
    assert_int_equal(reply_next(&reply, &begin, &piece), REPLY_MORE);
    enum reply_step last = REPLY_MORE;
    for (int i = 0; i <= CHUNKS_EXTRA_MAX && last == REPLY_MORE; i++) {
        str more = str_from("x");
        last     = reply_next(&reply, &more, &piece);
    }
    assert_int_equal(last, REPLY_BAD);
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(extensions_are_limited)};
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, reads_in_any_pieces, &rows[i]);
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(others, NULL, NULL);
}
