#include "base/log.h"
#include "base/log_internal.h"
#include "support/cmocka.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct log_record plain = {
    .unix_us = 1795341600000000,
    .level   = LOG_INFO,
    .service = "gateway",
    .message = "job.completed",
};

#define START                                                                                      \
    "{\"ts\":\"2026-11-22T10:00:00.000Z\",\"level\":\"info\",\"service\":\"gateway\","             \
    "\"msg\":\"job.completed\""

static void check(const struct log_field *fields, size_t count, enum log_format format,
                  const char *wanted)
{
    const struct log_secret secrets[] = {{.text = {"s3cret-key", 10}},
                                         {.text = {"another-one", 11}}};
    struct log_record record          = plain;
    record.fields                     = fields;
    record.field_count                = count;
    char line[LOG_LINE_MAX];
    size_t len = log_render(&record, format, secrets, ARRAY_LEN(secrets), line);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(line, wanted, len);
}

static void test_json(void **state)
{
    (void)state;
    check(NULL, 0, LOG_JSON, START "}\n");
    const struct log_field fields[] = {
        LOG_TEXT_OF("job", "01H"), LOG_INT("attempt", -2),       LOG_BOOLEAN("done", true),
        LOG_REAL("ratio", 0.5),    LOG_REAL("odd", (double)NAN), LOG_STR("empty", ((str){})),
    };
    check(fields, ARRAY_LEN(fields), LOG_JSON,
          START ",\"job\":\"01H\",\"attempt\":-2,\"done\":true,\"ratio\":0.5,\"odd\":null,"
                "\"empty\":\"\"}\n");
}

static void test_text(void **state)
{
    (void)state;
    const struct log_field fields[] = {
        LOG_TEXT_OF("job", "01H"),
        LOG_TEXT_OF("detail", "two words"),
        LOG_TEXT_OF("line", "a\nb"),
        LOG_STR("empty", ((str){})),
    };
    check(fields, ARRAY_LEN(fields), LOG_TEXT,
          "10:00:00.000 info  gateway job.completed job=01H detail=\"two words\" line=\"a\\nb\" "
          "empty=\"\"\n");
}

static void test_escapes(void **state)
{
    (void)state;
    const struct log_field fields[] = {
        LOG_TEXT_OF("a", "\"\\\n\r\t\x01\x7F/\xC3\xA9\xFF!\xC3"),
        LOG_STR("b", ((str){"x\0y", 3})),
    };
    check(fields, ARRAY_LEN(fields), LOG_JSON,
          START ",\"a\":\"\\\"\\\\\\n\\r\\t\\u0001\\u007f/\xC3\xA9\xEF\xBF\xBD!\xEF\xBF\xBD\","
                "\"b\":\"x\\u0000y\"}\n");
}

static void test_redaction(void **state)
{
    (void)state;
    const struct log_field fields[] = {
        LOG_TEXT_OF("Authorization", "Bearer x"),
        LOG_TEXT_OF("http.set-cookie", "a=b"),
        LOG_TEXT_OF("access_token", "abc"),
        LOG_TEXT_OF("input_tokens", "12"),
        LOG_TEXT_OF("mytoken", "not one of ours"),
        LOG_INT("token", 7),
        LOG_TEXT_OF("url", "https://u:s3cret-key@h/?k=another-ones3cret-key&s3cret-ke"),
    };
    check(fields, ARRAY_LEN(fields), LOG_JSON,
          START ",\"Authorization\":\"***\",\"http.set-cookie\":\"***\",\"access_token\":\"***\","
                "\"input_tokens\":\"12\",\"mytoken\":\"not one of ours\",\"token\":7,"
                "\"url\":\"https://u:***@h/?k=******&s3cret-ke\"}\n");
}

/* Whatever does not fit, the line ends as JSON and says so. */
/* Takes every `@` with what is around it. */
static bool hide_addresses(str text, struct buf *out)
{
    const char *at = text.len > 0 ? memchr(text.ptr, '@', text.len) : NULL;
    if (!at) return false;
    (void)buf_put_str(out, str_slice(text, 0, (size_t)(at - text.ptr) - 3));
    (void)buf_put_text(out, "[EMAIL]");
    return true;
}

static void test_scrub(void **state)
{
    (void)state;
    const struct log_secret secrets[] = {{.text = {"s3cret-ann@key", 14}}};
    const struct log_field fields[]   = {LOG_TEXT_OF("a", "to ann@x"), LOG_TEXT_OF("b", "clean"),
                                         LOG_TEXT_OF("c", "s3cret-ann@key, bob@x"),
                                         LOG_TEXT_OF("d", "s3cret-ann@key")};
    struct log_record record          = plain;
    record.fields                     = fields;
    record.field_count                = ARRAY_LEN(fields);
    record.scrub                      = hide_addresses;
    static const char wanted[]        = START ",\"a\":\"to [EMAIL]\",\"b\":\"clean\","
                                              "\"c\":\"***, [EMAIL]\",\"d\":\"***\"}\n";
    char line[LOG_LINE_MAX];
    size_t len = log_render(&record, LOG_JSON, secrets, ARRAY_LEN(secrets), line);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(line, wanted, len);
}

/* A key in PEM is quoted by lines; what frames it, and its last bytes, are anybody's. */
static void test_secret_lines(void **state)
{
    (void)state;
    static const char key[]           = "-----BEGIN SOMETHING-----\r\nMIIEvQIBADANBgkqhkiG9w0B\r\n"
                                        "QUVGQUFTQ0JLY3dnZ1NqQWdF\nAB==\n-----END SOMETHING-----\n";
    const struct log_secret secrets[] = {{.text = {"other-secret", 12}},
                                         {.text = {key, sizeof key - 1}, .has_lines = true}};
    const struct log_field fields[]   = {
          LOG_TEXT_OF("a", "bad: QUVGQUFTQ0JLY3dnZ1NqQWdF!"),
          LOG_TEXT_OF("b", "MIIEvQIBADANBgkqhkiG9w0B AB== MIIEvQIBADANBgkqhkiG9w0"),
          LOG_TEXT_OF("c", key),
    };
    struct log_record record   = plain;
    record.fields              = fields;
    record.field_count         = ARRAY_LEN(fields);
    static const char wanted[] = START ",\"a\":\"bad: ***!\",\"b\":\"*** AB== "
                                       "MIIEvQIBADANBgkqhkiG9w0\",\"c\":\"***\"}\n";
    char line[LOG_LINE_MAX];
    size_t len = log_render(&record, LOG_JSON, secrets, ARRAY_LEN(secrets), line);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(line, wanted, len);
}

/* Makes x of ten #, and takes addresses. */
static bool shorten(str text, struct buf *out)
{
    static const char address[] = "ann@x.example";
    size_t before               = out->len;
    bool is_found               = false;
    for (size_t i = 0; i < text.len;) {
        str rest     = str_slice(text, i, text.len);
        bool is_run  = str_starts_with(rest, str_from("##########"));
        bool is_mail = str_starts_with(rest, str_from(address));
        is_found     = is_found || is_run || is_mail;
        if (is_run) {
            (void)buf_put_byte(out, 'x');
        } else if (is_mail) {
            (void)buf_put_text(out, "[EMAIL]");
        } else {
            (void)buf_put_byte(out, text.ptr[i]);
        }
        i += is_run ? 10 : is_mail ? strlen(address) : 1;
    }
    if (!is_found) out->len = before;
    return is_found;
}

/* A long value is looked through up to some place, wherever in an address that is: no half of one
 * shows, also if so much was taken out in front that there would be room. */
static void test_half_found(void **state)
{
    (void)state;
    enum { RUNS = 3'000 };
    const size_t size = RUNS * 10;
    char *text        = malloc(size);
    assert_non_null(text);
    memset(text, '#', size);
    for (size_t at = 10; at + 14 < size; at += 130) memcpy(text + at, " ann@x.example", 14);
    for (size_t skipped = 0; skipped < 130; skipped++) {
        const struct log_field fields[] = {
            LOG_STR("a", str_slice((str){text, size}, skipped, size))};
        struct log_record record = plain;
        record.fields            = fields;
        record.field_count       = 1;
        record.scrub             = shorten;
        char line[LOG_LINE_MAX + 1];
        size_t len = log_render(&record, LOG_JSON, NULL, 0, line);
        line[len]  = '\0';
        assert_non_null(strstr(line, " [EMAIL]"));
        assert_null(strstr(line, " a"));
        assert_non_null(strstr(line, "\",\"cut\":true}\n"));
    }
    free(text);
}

static void test_cut(void **state)
{
    (void)state;
    char *text = malloc(LOG_LINE_MAX + 1);
    assert_non_null(text);
    for (size_t size = LOG_LINE_MAX - 200; size <= LOG_LINE_MAX; size++) {
        for (size_t i = 0; i < size; i++) {
            text[i] = i % 3 == 0 ? '\n' : i % 3 == 1 ? '\xC3' : '\xA9';
        }
        const struct log_field fields[] = {
            LOG_STR("x", ((str){text, size / 2})),
            LOG_STR("y", ((str){text, size / 4})),
            LOG_INT("z", 123456),
        };
        struct log_record record = plain;
        record.fields            = fields;
        record.field_count       = ARRAY_LEN(fields);
        char line[LOG_LINE_MAX];
        size_t len = log_render(&record, LOG_JSON, NULL, 0, line);
        assert_in_range(len, 1, LOG_LINE_MAX);
        bool is_cut   = len > 14 && memcmp(line + len - 13, ",\"cut\":true}\n", 13) == 0;
        bool is_whole = len > 12 && memcmp(line + len - 12, "\"z\":123456}\n", 12) == 0;
        assert_true(is_cut || is_whole);
        size_t quotes = 0;
        for (size_t i = 0; i < len; i++) quotes += line[i] == '"';
        assert_int_equal(quotes % 2, 0);
    }
    free(text);
}

static void test_limit(void **state)
{
    (void)state;
    struct log_limit limit = {};
    const char *message    = NULL;
    unsigned suppressed    = 0;
    for (int i = 0; i < LOG_LIMIT_PER_WINDOW; i++) assert_true(log_limit_pass(&limit, "a", 1000));
    assert_false(log_limit_pass(&limit, "a", 1000));
    assert_false(log_limit_pass(&limit, "a", 1999));
    assert_true(log_limit_pass(&limit, "b", 1999)); /* each message for itself */
    assert_false(log_limit_due(&limit, 1999, &message, &suppressed));
    assert_true(log_limit_due(&limit, 2000, &message, &suppressed));
    assert_string_equal(message, "a");
    assert_int_equal(suppressed, 2);
    assert_false(log_limit_due(&limit, 2000, &message, &suppressed)); /* told once */
    assert_true(log_limit_pass(&limit, "a", 2000));
}

/* More messages than places: they pass, and nothing counted is forgotten. */
static void test_limit_full(void **state)
{
    (void)state;
    struct log_limit limit    = {};
    static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
    char texts[LOG_LIMIT_MESSAGES][2];
    for (size_t i = 0; i < LOG_LIMIT_MESSAGES; i++) {
        texts[i][0] = names[i];
        texts[i][1] = '\0';
        for (int repeat = 0; repeat <= LOG_LIMIT_PER_WINDOW; repeat++) {
            (void)log_limit_pass(&limit, texts[i], 0);
        }
    }
    for (int i = 0; i < 100; i++) assert_true(log_limit_pass(&limit, "one too many", 5000));
    const char *message;
    unsigned suppressed;
    size_t count = 0;
    while (log_limit_due(&limit, 5000, &message, &suppressed)) {
        assert_int_equal(suppressed, 1);
        count++;
    }
    assert_int_equal(count, LOG_LIMIT_MESSAGES);
    assert_true(log_limit_pass(&limit, "now there is room", 5000));
}

static void test_levels(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_parse(str_from("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse(str_from("warn"), &level));
    assert_int_equal(level, LOG_WARN);
    assert_false(log_level_parse(str_from("WARN"), &level));
    assert_false(log_level_parse(str_from(""), &level));
    assert_int_equal(level, LOG_WARN);
}

/* The real thing: standard output is a pipe, so lines are JSON. */
static void test_output(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_true(dup2(fds[1], STDOUT_FILENO) >= 0);
    log_init("test", LOG_INFO, LOG_AUTO);
    bool is_short_refused = !log_add_secret(str_from("1234567"));
    bool is_added         = log_add_secret(str_from("12345678"));
    bool is_known         = log_add_secret(str_from("12345678"));
    for (int i = 0; i <= LOG_SECRETS_MAX; i++) { /* the oldest is forgotten, no newer one */
        char secret[32];
        (void)snprintf(secret, sizeof secret, "secret-%03d", i);
        is_added = is_added && log_add_secret(str_from(secret));
    }
    is_added = is_added && log_add_secret(str_from("12345678"));
    log_write(LOG_DEBUG, "not.shown", LOG_INT("a", 1));
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "shown", LOG_TEXT_OF("key", "<12345678>"));
    log_write(LOG_DEBUG, "many", LOG_TEXT_OF("of", "secret-000 secret-002 secret-256"));
    for (int i = 0; i < 30; i++) log_fields(LOG_WARN, "often", NULL, 0);
    log_flush();
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    (void)close(saved);
    (void)close(fds[1]);
    char text[12288];
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len<sizeof text - 1; len += got> 0 ? (size_t)got : 0) {
        got = read(fds[0], text + len, sizeof text - 1 - len);
    }
    text[len] = '\0';
    (void)close(fds[0]);
    assert_true(is_short_refused && is_added && is_known);
    assert_null(strstr(text, "not.shown"));
    assert_non_null(strstr(text, "\"service\":\"test\",\"msg\":\"shown\",\"key\":\"<***>\"}\n"));
    assert_non_null(strstr(text, "\"of\":\"secret-000 *** ***\""));
    assert_non_null(strstr(text, "\"msg\":\"log.suppressed\",\"of\":\"often\",\"count\":"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),         cmocka_unit_test(test_text),
        cmocka_unit_test(test_escapes),      cmocka_unit_test(test_redaction),
        cmocka_unit_test(test_secret_lines), cmocka_unit_test(test_half_found),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_full),   cmocka_unit_test(test_levels),
        cmocka_unit_test(test_output),       cmocka_unit_test(test_scrub),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
