/* Mails as text: what is given arrives, and nothing of it becomes a header or recipient of its own.
 */
#include "tool-adapter/mail/message.h"

#include "base/attr.h"
#include "support/cmocka.h"

#include <string.h>

enum { ARENA_MAX = 1 << 20 };

static struct mailbox box(const char *text)
{
    struct mailbox mailbox = {};
    struct error error     = {};
    if (mailbox_read(str_from(text), &mailbox, &error) != STATUS_OK) fail_msg("%s", text);
    return mailbox;
}

static void reads_mailboxes(void **)
{
    static const struct {
        const char *text, *name, *address;
    } rows[] = {
        {"ada@example.com", "", "ada@example.com"},
        {"  Ada Lovelace  <ada@example.com> ", "Ada Lovelace", "ada@example.com"},
        {"\"Lovelace, Ada\" <ada@example.com>", "Lovelace, Ada", "ada@example.com"},
        {"<a.b+c@x-y.example>", "", "a.b+c@x-y.example"},
        {"Åsa <asa@example.com>", "Åsa", "asa@example.com"},
        /* no address */
        {"", NULL, NULL},
        {"ada", NULL, NULL},
        {"ada@", NULL, NULL},
        {"@example.com", NULL, NULL},
        {"a..b@example.com", NULL, NULL},
        {".a@example.com", NULL, NULL},
        {"a@example..com", NULL, NULL},
        {"a@-x.com", NULL, NULL},
        {"a b@example.com", NULL, NULL},
        {"a@example.com,b@example.com", NULL, NULL},
        {"a@example.com> RCPT TO:<b@example.com", NULL, NULL},
        {"a@example.com\r\nBcc: b@example.com", NULL, NULL},
        {"A\nB <a@example.com>", NULL, NULL},
        {"\xc3 <a@example.com>", NULL, NULL},
        {"åsa@example.com", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mailbox mailbox = {};
        struct error error     = {};
        status code            = mailbox_read(str_from(rows[i].text), &mailbox, &error);
        status expected        = rows[i].address ? STATUS_OK : STATUS_INVALID_ARGUMENT;
        if (code != expected) fail_msg("%s: %s", rows[i].text, error.text);
        if (code != STATUS_OK) continue;
        assert_true(str_is(mailbox.name, rows[i].name));
        assert_true(str_is(mailbox.address, rows[i].address));
    }
    struct mailbox ada = box("Ada <ada@example.com>");
    assert_true(str_is(mailbox_domain(&ada), "example.com"));
}

static status put(const struct message *message, struct buf *out)
{
    struct error error = {};
    status code        = message_put(message, out, &error);
    (void)buf_put_byte(out, '\0');
    return code;
}

static void writes_a_mail(void **)
{
    const struct mailbox to[]        = {box("ada@example.com"), box("\"B \\ C\" <bc@example.com>")};
    const struct message message     = {.from     = box("Shop <shop@example.com>"),
                                        .to       = to,
                                        .to_count = 2,
                                        .subject  = str_from("Hello"),
                                        .text     = str_from("Hi\n.\n"),
                                        .id       = str_from("k@example.com"),
                                        .now_us   = 1'767'225'600'000'000};
    CLEANUP(buf_done) struct buf out = buf_init(MESSAGE_SIZE_MAX);
    assert_int_equal(put(&message, &out), STATUS_OK);
    assert_string_equal(out.ptr, "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                                 "From: \"Shop\" <shop@example.com>\r\n"
                                 "To: ada@example.com,\r\n \"B \\\\ C\" <bc@example.com>\r\n"
                                 "Subject: Hello\r\n"
                                 "Message-ID: <k@example.com>\r\n"
                                 "MIME-Version: 1.0\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Transfer-Encoding: base64\r\n\r\n"
                                 "SGkKLgo=\r\n");
}

static void writes_parts(void **)
{
    const struct mailbox to                      = box("ada@example.com");
    const struct message_attachment attachment[] = {
        {.name = str_from("a \"b\".png"), .mime = str_from("image/png"), .data = {"x", 1}}};
    const struct message message     = {.from        = box("shop@example.com"),
                                        .to          = &to,
                                        .to_count    = 1,
                                        .subject     = str_from("Größe und noch viel mehr Wörter, "
                                                                        "damit es zwei Zeilen werden"),
                                        .text        = str_from("t"),
                                        .html        = str_from("<p>h"),
                                        .attachments = attachment,
                                        .attachment_count = 1,
                                        .id               = str_from("k@example.com")};
    CLEANUP(buf_done) struct buf out = buf_init(MESSAGE_SIZE_MAX);
    assert_int_equal(put(&message, &out), STATUS_OK);
    assert_non_null(strstr(out.ptr, "Subject: =?UTF-8?B?"));
    assert_non_null(strstr(out.ptr, "?=\r\n =?UTF-8?B?"));
    assert_non_null(strstr(out.ptr, "multipart/mixed"));
    assert_non_null(strstr(out.ptr, "multipart/alternative"));
    assert_non_null(strstr(out.ptr, "filename*=UTF-8''a%20%22b%22.png\r\n"));
    for (const char *line = out.ptr; line; line = strstr(line, "\r\n")) {
        line += line == out.ptr ? 0 : 2;
        const char *end = strstr(line, "\r\n");
        assert_true(!end || end - line <= 100);
    }
}

static void refuses_what_would_be_more(void **)
{
    static const struct {
        const char *subject, *header, *value, *file, *mime;
        status code;
    } rows[] = {
        {"s", "X-Own", "v", "a", "a/b", STATUS_OK},
        {"s", "List-Unsubscribe", "<https://x.example/u>", "a", "", STATUS_OK},
        {"s\r\nBcc: b@example.com", "X-Own", "v", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s\n", "X-Own", "v", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own", "v\r\nBcc: b@example.com", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own: v\r\nBcc", "v", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "X Own", "v", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "", "v", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "bCC", "b@example.com", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "Content-Type", "text/html", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "Sender", "b@example.com", "a", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own", "v", "a\r\n", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own", "v", "", "a/b", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own", "v", "a", "a", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own", "v", "a", "a/b\r\nX: y", STATUS_INVALID_ARGUMENT},
        {"s", "X-Own", "v", "a", "a/b; x=y", STATUS_INVALID_ARGUMENT},
    };
    const struct mailbox to = box("ada@example.com");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct message_header header         = {.name  = str_from(rows[i].header),
                                                      .value = str_from(rows[i].value)};
        const struct message_attachment attachment = {.name = str_from(rows[i].file),
                                                      .mime = str_from(rows[i].mime)};
        const struct message message               = {.from             = to,
                                                      .to               = &to,
                                                      .to_count         = 1,
                                                      .subject          = str_from(rows[i].subject),
                                                      .headers          = &header,
                                                      .header_count     = 1,
                                                      .attachments      = &attachment,
                                                      .attachment_count = 1};
        CLEANUP(buf_done) struct buf out           = buf_init(MESSAGE_SIZE_MAX);
        if (put(&message, &out) != rows[i].code) fail_msg("row %zu", i);
    }
}

static void bounds_a_mail(void **)
{
    const struct mailbox to      = box("ada@example.com");
    const struct message message = {.from = to, .to = &to, .to_count = 1, .text = str_from("t")};
    CLEANUP(buf_done) struct buf out = buf_init(64);
    struct error error               = {};
    assert_int_equal(message_put(&message, &out, &error), STATUS_RESOURCE_EXHAUSTED);
}

static void an_id_is_that_of_the_job(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    const char *a = message_id(str_from("run/task/1/1"), str_from("example.com"), arena);
    const char *b = message_id(str_from("run/task/1/1"), str_from("example.com"), arena);
    const char *c = message_id(str_from("run/task/1/2"), str_from("example.com"), arena);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_non_null(strstr(a, "@example.com"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_mailboxes), cmocka_unit_test(writes_a_mail),
        cmocka_unit_test(writes_parts),    cmocka_unit_test(refuses_what_would_be_more),
        cmocka_unit_test(bounds_a_mail),   cmocka_unit_test(an_id_is_that_of_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
