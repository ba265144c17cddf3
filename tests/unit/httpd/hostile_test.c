/* Requests as they should not be, and some as they should: each in one piece and byte by byte. */
#include "support/httpd/server_fixture.h"

#define HOST  "Host: a\r\n"
#define OK    "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST  "POST /echo HTTP/1.1\r\n" HOST
#define SMALL "POST /small HTTP/1.1\r\n" HOST
#define TE    "Transfer-Encoding: chunked\r\n"

/* clang-format off: a row is a line */
/* `expected`: the statuses in order; ! at the end: and then the server closes. */
static const struct row {
    const char *name;
    const char *request;
    const char *expected;
    const char *body; /* must occur in what comes back; NULL: anything */
} rows[] = {
    {"plain get", OK, "200 ", "GET /  "},
    {"query", "GET /a?b=c HTTP/1.1\r\n" HOST "\r\n", "200 ", "GET /a b=c "},
    {"decoded path", "GET /%41%2Fb HTTP/1.1\r\n" HOST "\r\n", "200 ", "GET /A/b "},
    {"utf-8 path", "GET /%C3%A9 HTTP/1.1\r\n" HOST "\r\n", "200 ", "GET /\xC3\xA9 "},
    {"absolute form", "GET http://x/y?z HTTP/1.1\r\n" HOST "\r\n", "200 ", "GET /y z "},
    {"absolute form without path", "GET http://x HTTP/1.1\r\n" HOST "\r\n", "200 ", "GET / "},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "200 ", "OPTIONS * "},
    {"asterisk with get", "GET * HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"connect", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"method of any token", "BREW /pot HTTP/1.1\r\n" HOST "\r\n", "200 ", "BREW /pot "},
    {"two pipelined", OK OK, "200 200 ", NULL},
    {"pipelined after a body", POST "Content-Length: 3\r\n\r\nabc" OK, "200 200 ", "/echo  abc"},
    {"good then bad", OK "GET\r\n\r\n", "200 400 !", NULL},
    {"close", "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "200 !", NULL},
    {"close in a list", "GET / HTTP/1.1\r\n" HOST "Connection: x , Close\r\n\r\n", "200 !", NULL},
    {"nothing after close", "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" OK, "200 !",
     NULL},
    {"http 1.0", "GET / HTTP/1.0\r\n\r\n", "200 !", NULL},
    {"http 1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 ", NULL},
    {"http 1.0 two hosts", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "400 !", NULL},
    {"http 1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", "505 !", NULL},
    {"http 2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", "505 !", NULL},
    {"http 2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 !", NULL},
    {"http 0.9", "GET /\r\n\r\n", "400 !", NULL},
    {"version in lower case", "GET / http/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"version too long", "GET / HTTP/1.10\r\n" HOST "\r\n", "400 !", NULL},
    {"tls hello", "\x16\x03\x01\x02", "400 !", NULL},
    {"empty line first", "\r\n" OK, "400 !", NULL},
    {"space first", " " OK, "400 !", NULL},
    {"bare lf", "GET / HTTP/1.1\n" HOST "\r\n", "400 !", NULL},
    {"bare lf at the end", "GET / HTTP/1.1\r\nHost: a\n\r\n", "400 !", NULL},
    {"bare cr in a value", "GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", "400 !", NULL},
    {"two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"space after the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", "400 !", NULL},
    {"tab after the method", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"byte above 127", "GET /\xC3\xA9 HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"relative target", "GET a HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"absolute form without host", "GET http:///a HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"escape cut short", "GET /%4 HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"escape at the very end", "GET /% HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"escape not hexadecimal", "GET /%zz HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"escaped nul", "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"escaped newline", "GET /a%0Ab HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"not utf-8", "GET /%FF HTTP/1.1\r\n" HOST "\r\n", "400 !", NULL},
    {"decoded once", "GET /%2541 HTTP/1.1\r\n" HOST "\r\n", "200 ", "GET /%41 "},
    {"no host", "GET / HTTP/1.1\r\n\r\n", "400 !", NULL},
    {"two hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400 !", NULL},
    {"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 !", NULL},
    {"host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 !", NULL},
    {"host and port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "200 ", NULL},
    {"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 !", NULL},
    {"folded line", "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", "400 !", NULL},
    {"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 !", NULL},
    {"field without colon", "GET / HTTP/1.1\r\n" HOST "abc\r\n\r\n", "400 !", NULL},
    {"field without name", "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", "400 !", NULL},
    {"control in a value", "GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n", "400 !", NULL},
    {"delete in a value", "GET / HTTP/1.1\r\n" HOST "A: \x7F\r\n\r\n", "400 !", NULL},
    {"tab and utf-8 in a value", "GET / HTTP/1.1\r\n" HOST "A: \t\xC3\xA9\r\n\r\n", "200 ", NULL},
    {"empty value", "GET / HTTP/1.1\r\n" HOST "A:\r\n\r\n", "200 ", NULL},
    {"length", POST "Content-Length: 5\r\n\r\nhello", "200 ", "/echo  hello"},
    {"length 0", POST "Content-Length: 0\r\n\r\n", "200 ", NULL},
    {"length with leading zeros", POST "Content-Length: 005\r\n\r\nhello", "200 ", "hello"},
    {"length twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400 !", NULL},
    {"lengths that differ", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "400 !",
     NULL},
    {"length list", POST "Content-Length: 5, 5\r\n\r\nhello", "400 !", NULL},
    {"length with sign", POST "Content-Length: +5\r\n\r\nhello", "400 !", NULL},
    {"negative length", POST "Content-Length: -5\r\n\r\nhello", "400 !", NULL},
    {"hexadecimal length", POST "Content-Length: 0x5\r\n\r\nhello", "400 !", NULL},
    {"empty length", POST "Content-Length:\r\n\r\n", "400 !", NULL},
    {"length of 16 digits", POST "Content-Length: 0000000000000005\r\n\r\nhello", "400 !", NULL},
    {"length of 15 digits", POST "Content-Length: 999999999999999\r\n\r\n", "413 !", NULL},
    {"length and coding", POST "Content-Length: 5\r\n" TE "\r\n0\r\n\r\n", "400 !", NULL},
    {"coding and length", POST TE "Content-Length: 5\r\n\r\n0\r\n\r\n", "400 !", NULL},
    {"coding twice", POST TE TE "\r\n0\r\n\r\n", "501 !", NULL},
    {"coding list", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501 !", NULL},
    {"gzip", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 !", NULL},
    {"identity", POST "Transfer-Encoding: identity\r\n\r\n", "501 !", NULL},
    {"quoted coding", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "501 !", NULL},
    {"coding with vertical tab",
     POST "Transfer-Encoding: \x0B"
          "chunked\r\n\r\n0\r\n\r\n",
     "400 !", NULL},
    {"coding in 1.0", "POST /echo HTTP/1.0\r\n" TE "\r\n0\r\n\r\n", "501 !", NULL},
    {"coding in capitals", POST "Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", "200 ",
     "/echo  a"},
    {"chunks", POST TE "\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "200 ", "/echo  hello!"},
    {"chunks and pipelined", POST TE "\r\n1\r\na\r\n0\r\n\r\n" OK, "200 200 ", NULL},
    {"chunk extension", POST TE "\r\n1;a=b\r\nx\r\n0\r\n\r\n", "200 ", "/echo  x"},
    {"trailers dropped", POST TE "\r\n1\r\nx\r\n0\r\nHost: b\r\nC: d\r\n\r\n", "200 ", "/echo  x"},
    {"trailer folded", POST TE "\r\n0\r\nA: b\r\n c\r\n\r\n", "400 !", NULL},
    {"trailer without colon", POST TE "\r\n0\r\nA\r\n\r\n", "400 !", NULL},
    {"chunk size 0x5", POST TE "\r\n0x5\r\nhello\r\n0\r\n\r\n", "400 !", NULL},
    {"chunk size with space", POST TE "\r\n5 \r\nhello\r\n0\r\n\r\n", "400 !", NULL},
    {"chunk size with sign", POST TE "\r\n+5\r\nhello\r\n0\r\n\r\n", "400 !", NULL},
    {"empty chunk size", POST TE "\r\n\r\n", "400 !", NULL},
    {"chunk size of 9 digits", POST TE "\r\n000000005\r\nhello\r\n0\r\n\r\n", "400 !", NULL},
    {"chunk size of 8 digits", POST TE "\r\n00000005\r\nhello\r\n0\r\n\r\n", "200 ", "hello"},
    {"huge chunk", POST TE "\r\nffffffff\r\n", "413 !", NULL},
    {"chunk size with bare lf", POST TE "\r\n5\nhello\r\n0\r\n\r\n", "400 !", NULL},
    {"chunk data too long", POST TE "\r\n5\r\nhello!\r\n0\r\n\r\n", "400 !", NULL},
    {"chunk data with bare lf", POST TE "\r\n5\r\nhello\n0\r\n\r\n", "400 !", NULL},
    {"chunks end with bare lf", POST TE "\r\n0\r\n\n", "400 !", NULL},
    {"length at the limit", SMALL "Content-Length: 8\r\n\r\n12345678", "200 ", "12345678"},
    {"length above the limit", SMALL "Content-Length: 9\r\n\r\n", "413 !", NULL},
    {"chunks at the limit", SMALL TE "\r\n4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n", "200 ", "12345678"},
    {"chunks above the limit", SMALL TE "\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n", "413 !", NULL},
    {"body with get", "GET /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", "200 ", "ab"},
    {"continue", POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab", "200 ", NULL},
    {"other expectation", POST "Expect: 200-ok\r\nContent-Length: 2\r\n\r\nab", "417 !", NULL},
    {"refused by route", "GET /refuse HTTP/1.1\r\n" HOST "\r\n", "404 ", NULL},
    {"refused with body", "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd", "404 !",
     NULL},
    {"no content", "GET /empty HTTP/1.1\r\n" HOST "\r\n", "204 ", NULL},
    {"no content then more", "GET /empty HTTP/1.1\r\n" HOST "\r\n" OK, "204 200 ", NULL},
    {"answer with a newline in a field", "GET /inject HTTP/1.1\r\n" HOST "\r\n", "500 ", NULL},
    {"smuggled request in a body",
     POST "Content-Length: 38\r\n\r\nGET /evil HTTP/1.1\r\nHost: attacker\r\n\r\n" OK, "200 200 ",
     NULL},
};
/* clang-format on */

/* What came back, without the one line that time changes. */
static void put_without_dates(struct buf *buf, str text)
{
    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        size_t len          = newline ? (size_t)(newline - text.ptr) + 1 : text.len;
        str line            = str_slice(text, 0, len);
        if (!str_starts_with(line, str_from("Date: "))) (void)buf_put_str(buf, line);
        text = str_slice(text, len, text.len);
    }
}

static void exchange(const char *request, size_t piece, const char *expected, struct buf *result)
{
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    client_send(&f, &client, str_from(request), piece);

    size_t want     = 0;
    bool must_close = strchr(expected, '!') != NULL;
    for (const char *c = expected; *c; c++) want += *c == ' ';
    if (must_close) {
        client_wait_closed(&f, &client);
    } else {
        client_wait(&f, &client, want);
        assert_false(client.is_closed);
        client_send(&f, &client, str_from("GET /still-there HTTP/1.1\r\nHost: a\r\n\r\n"), 4096);
        client_wait(&f, &client, want + 1);
        assert_true(client_has(&client, "GET /still-there"));
    }
    char statuses[256];
    char wanted[256];
    (void)statuses_of(buf_str(&client.got), statuses, sizeof statuses);
    (void)snprintf(wanted, sizeof wanted, STR_FMT "%s", (int)strcspn(expected, "!"), expected,
                   must_close ? "" : "200 ");
    assert_string_equal(statuses, wanted);
    put_without_dates(result, buf_str(&client.got));
    fixture_stop(&f);
}

static void test_row(void **state)
{
    const struct row *row              = *state;
    CLEANUP(buf_done) struct buf whole = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf slow  = buf_init(1 << 20);
    exchange(row->request, SIZE_MAX, row->expected, &whole);
    exchange(row->request, 1, row->expected, &slow);
    /* Byte by byte, a client that asks for it is told to continue. */
    str got            = buf_str(&slow);
    const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (str_starts_with(got, str_from(go_on))) got = str_slice(got, sizeof go_on - 1, got.len);
    assert_string_equal(whole.ptr, got.ptr);
    if (row->body) assert_non_null(strstr(whole.ptr, row->body));
}

/* --- limits: what is too long for a row
 * ----------------------------------------------------------- */

static void check_padded(size_t target_len, size_t value_len, size_t fields, const char *expected)
{
    CLEANUP(buf_done) struct buf request = buf_init(64 << 10);
    CLEANUP(buf_done) struct buf result  = buf_init(1 << 20);
    (void)buf_put_text(&request, "GET /");
    for (size_t i = 1; i < target_len; i++) (void)buf_put_byte(&request, 'a');
    (void)buf_put_text(&request, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 1; i < fields; i++) (void)buf_put_text(&request, "A: b\r\n");
    if (value_len > 0) {
        (void)buf_put_text(&request, "B: ");
        for (size_t i = 0; i < value_len; i++) (void)buf_put_byte(&request, 'b');
        (void)buf_put_text(&request, "\r\n");
    }
    (void)buf_put_text(&request, "\r\n");
    exchange(request.ptr, SIZE_MAX, expected, &result);
    exchange(request.ptr, 1000, expected, &result);
}

static void test_limits(void **state)
{
    (void)state;
    check_padded(HTTPD_TARGET_MAX, 0, 1, "200 ");
    check_padded(HTTPD_TARGET_MAX + 1, 0, 1, "414 !");
    check_padded(1, 0, HTTPD_FIELDS_MAX, "200 ");
    check_padded(1, 0, HTTPD_FIELDS_MAX + 1, "431 !");
    size_t others = sizeof "GET / HTTP/1.1\r\nHost: a\r\nB: \r\n\r\n" - 1;
    check_padded(1, HTTPD_HEAD_MAX - others, 1, "200 ");
    check_padded(1, HTTPD_HEAD_MAX - others + 1, 1, "431 !");
}

static void check_extras(size_t extension, size_t trailer, const char *expected)
{
    CLEANUP(buf_done) struct buf request = buf_init(64 << 10);
    CLEANUP(buf_done) struct buf result  = buf_init(1 << 20);
    (void)buf_put_text(&request, POST TE "\r\n1;");
    for (size_t i = 0; i < extension; i++) (void)buf_put_byte(&request, 'e');
    (void)buf_put_text(&request, "\r\nx\r\n0\r\nT:");
    for (size_t i = 0; i < trailer; i++) (void)buf_put_byte(&request, 't');
    (void)buf_put_text(&request, "\r\n\r\n");
    exchange(request.ptr, SIZE_MAX, expected, &result);
}

static void test_chunk_extras(void **state)
{
    (void)state;
    /* Counted besides: CR of the extension, "T:", CR, LF and CR of the trailer. */
    check_extras(1000, 4096 - 1000 - 6, "200 ");
    check_extras(1000, 4096 - 1000 - 5, "400 !");
}

static void test_nul(void **state)
{
    (void)state;
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n";
    struct fixture f;
    fixture_start(&f, (struct httpd_options){});
    CLEANUP(client_close) struct client client = client_open(&f);
    client_send(&f, &client, (str){request, sizeof request - 1}, SIZE_MAX);
    client_wait_closed(&f, &client);
    assert_true(client_has(&client, "HTTP/1.1 400 "));
    fixture_stop(&f);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 3];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, test_row, &rows[i]);
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(test_limits);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_chunk_extras);
    tests[ARRAY_LEN(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(test_nul);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
