#include "tool-adapter/mail/message.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "http/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    WORD_BYTES    = 42, /* of a text in one encoded word: 56 in base64, 68 with its frame, of 75 */
    FOLD_AT       = 60, /* bytes of a header's text that stays on one line */
    BODY_BYTES    = 57, /* of a body in one line: 76 in base64 */
    ID_BYTES      = 16,
    DATE_SIZE     = 40,
    BOUNDARY_SIZE = 48,
};

/* --- texts in headers ------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has_control(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 0x7f) return true;
    }
    return utf8_valid_prefix(text) != text.len;
}

static bool is_ascii(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) return false;
    }
    return true;
}

static bool looks_encoded(str text)
{
    return text.len > 0 && memmem(text.ptr, text.len, "=?", 2);
}

/* RFC 2047: words of whole characters, each on a line of its own. */
static void put_encoded_words(struct buf *out, str text)
{
    size_t begin = 0;
    while (begin < text.len) {
        size_t end  = begin;
        size_t next = begin;
        while (next < text.len) {
            (void)utf8_next(text, &next);
            if (next - begin > WORD_BYTES) break;
            end = next;
        }
        char word[4 * WORD_BYTES];
        base64_encode(text.ptr + begin, end - begin, word);
        (void)buf_printf(out, "%s=?UTF-8?B?%s?=", begin > 0 ? "\r\n " : "", word);
        begin = end;
    }
}

/* A text that is read as a whole: a subject, the value of a header. One that looks like an encoded
 * word is encoded, so that it arrives as it is. */
static void put_phrase(struct buf *out, str text)
{
    bool is_plain = is_ascii(text) && text.len <= FOLD_AT && !looks_encoded(text);
    if (is_plain) {
        (void)buf_put_str(out, text);
    } else {
        put_encoded_words(out, text);
    }
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_local(str text)
{
    static const char others[] = "!#$%&'*+-/=?^_`{|}~";
    bool was_dot               = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && was_dot) return false;
        was_dot = c == '.';
        if (!is_letter(c) && !is_digit(c) && c != '.' && (c == '\0' || !strchr(others, c))) {
            return false;
        }
    }
    return text.len > 0 && text.len <= 64 && !was_dot;
}

static bool is_domain(str text)
{
    bool was_dot = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c == '.' || c == '-') && was_dot) return false;
        was_dot = c == '.';
        if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-') return false;
    }
    return text.len > 0 && !was_dot && text.ptr[text.len - 1] != '-';
}

str mailbox_domain(const struct mailbox *mailbox)
{
    const char *at = memrchr(mailbox->address.ptr, '@', mailbox->address.len);
    size_t begin   = at ? (size_t)(at - mailbox->address.ptr) + 1 : 0;
    return str_slice(mailbox->address, begin, mailbox->address.len);
}

static bool is_address(str text)
{
    const char *at = text.len > 0 ? memrchr(text.ptr, '@', text.len) : NULL;
    if (!at || text.len > MESSAGE_ADDRESS_MAX) return false;
    size_t end = (size_t)(at - text.ptr);
    return is_local(str_slice(text, 0, end)) && is_domain(str_slice(text, end + 1, text.len));
}

status mailbox_read(str text, struct mailbox *ret_mailbox, struct error *reterr)
{
    str name         = {.ptr = ""};
    str address      = str_trim(text, " ");
    const char *open = address.len > 0 ? memrchr(address.ptr, '<', address.len) : NULL;
    if (open && address.ptr[address.len - 1] == '>') {
        size_t begin = (size_t)(open - address.ptr);
        name         = str_trim(str_slice(address, 0, begin), " ");
        address      = str_slice(address, begin + 1, address.len - 1);
    }
    bool is_quoted = name.len > 1 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"';
    if (is_quoted) name = str_slice(name, 1, name.len - 1);
    if (has_control(text) || name.len > MESSAGE_NAME_MAX || !is_address(address)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "an address must be `ada@example.com` or `Ada <ada@example.com>`");
    }
    *ret_mailbox = (struct mailbox){.name = name, .address = address};
    return STATUS_OK;
}

static void put_mailbox(struct buf *out, const struct mailbox *mailbox)
{
    str name = mailbox->name;
    if (name.len == 0) {
        (void)buf_put_str(out, mailbox->address);
        return;
    }
    if (!is_ascii(name) || looks_encoded(name)) {
        put_encoded_words(out, name);
    } else {
        (void)buf_put_byte(out, '"');
        for (size_t i = 0; i < name.len; i++) {
            if (name.ptr[i] == '"' || name.ptr[i] == '\\') (void)buf_put_byte(out, '\\');
            (void)buf_put_byte(out, name.ptr[i]);
        }
        (void)buf_put_byte(out, '"');
    }
    (void)buf_printf(out, " <" STR_FMT ">", STR_ARG(mailbox->address));
}

/* One to a line. */
static void put_mailboxes(struct buf *out, const char *header, const struct mailbox *list,
                          size_t count)
{
    if (count == 0) return;
    (void)buf_printf(out, "%s: ", header);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) (void)buf_put_text(out, ",\r\n ");
        put_mailbox(out, &list[i]);
    }
    (void)buf_put_text(out, "\r\n");
}

/* --- headers ---------------------------------------------------------------------------------- */

/* "Thu, 01 Jan 1970 00:00:00 +0000" */
static void put_date(struct buf *out, int64_t now_us)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const char *const days[]   = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    const int64_t day_us              = 86'400'000'000;
    char text[TIME_TEXT_SIZE];
    time_format(now_us, text); /* 1970-01-01T00:00:00.000Z */
    size_t month = (size_t)((text[5] - '0') * 10 + (text[6] - '0') - 1);
    (void)buf_printf(out, "Date: %s, %.2s %s %.4s %.8s +0000\r\n", days[now_us / day_us % 7],
                     text + 8, months[month % 12], text, text + 11);
}

static bool is_ours(str name)
{
    static const char *const ours[] = {
        "from",       "to",           "cc",        "bcc",        "subject",       "date",
        "message-id", "mime-version", "reply-to",  "sender",     "return-path",   "received",
        "resent-to",  "resent-from",  "resent-cc", "resent-bcc", "dkim-signature"};
    static const char content[] = "content-";
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (name.len == strlen(ours[i]) && strncasecmp(name.ptr, ours[i], name.len) == 0) {
            return true;
        }
    }
    return name.len >= strlen(content) && strncasecmp(name.ptr, content, strlen(content)) == 0;
}

static status put_own_header(const struct message_header *header, struct buf *out,
                             struct error *reterr)
{
    bool is_good = header->name.len > 0 && header->name.len <= 76;
    for (size_t i = 0; i < header->name.len; i++) {
        char c  = header->name.ptr[i];
        is_good = is_good && (is_letter(c) || is_digit(c) || c == '-' || c == '_');
    }
    if (!is_good || is_ours(header->name)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`headers`: a name is none, or one that is set here");
    }
    bool is_long = header->name.len + header->value.len + 2 > MESSAGE_LINE_MAX;
    if (has_control(header->value) || is_long) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`headers." STR_FMT "` is too long, or has control characters in it",
                    STR_ARG(header->name));
    }
    (void)buf_printf(out, STR_FMT ": ", STR_ARG(header->name));
    /* Addresses of lists must stay as they are (RFC 2369); only what has to is encoded. */
    if (is_ascii(header->value)) {
        (void)buf_put_str(out, header->value);
    } else {
        put_encoded_words(out, header->value);
    }
    (void)buf_put_text(out, "\r\n");
    return STATUS_OK;
}

static status put_headers(const struct message *message, struct buf *out, struct error *reterr)
{
    if (has_control(message->subject) || message->subject.len > MESSAGE_LINE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`subject` is too long, or has control characters in it");
    }
    put_date(out, message->now_us);
    put_mailboxes(out, "From", &message->from, 1);
    put_mailboxes(out, "Reply-To", &message->reply_to, message->has_reply_to ? 1 : 0);
    put_mailboxes(out, "To", message->to, message->to_count);
    put_mailboxes(out, "Cc", message->cc, message->cc_count);
    (void)buf_put_text(out, "Subject: ");
    put_phrase(out, message->subject);
    (void)buf_printf(out, "\r\nMessage-ID: <" STR_FMT ">\r\nMIME-Version: 1.0\r\n",
                     STR_ARG(message->id));
    for (size_t i = 0; i < message->header_count; i++) {
        TRY(put_own_header(&message->headers[i], out, reterr));
    }
    return STATUS_OK;
}

/* --- bodies ----------------------------------------------------------------------------------- */

static void put_base64_body(struct buf *out, bytes data)
{
    const char *raw = data.ptr;
    (void)buf_put_text(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    for (size_t i = 0; i < data.len; i += BODY_BYTES) {
        char line[2 * BODY_BYTES];
        size_t len = data.len - i < BODY_BYTES ? data.len - i : BODY_BYTES;
        base64_encode(raw + i, len, line);
        if (!buf_printf(out, "%s\r\n", line)) return;
    }
}

static void put_text_part(struct buf *out, const char *type, str text)
{
    (void)buf_printf(out, "Content-Type: text/%s; charset=utf-8\r\n", type);
    put_base64_body(out, bytes_from(text));
}

/* What ends with the parts' own boundary; base64 has no `_`. */
static void boundary_write(const struct message *message, char kind,
                           char boundary[static BOUNDARY_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    sha256(bytes_from(message->id), digest);
    hex_encode(digest, sizeof digest, hex);
    (void)snprintf(boundary, BOUNDARY_SIZE, "_%c_%.32s", kind, hex);
}

static void put_texts(const struct message *message, struct buf *out)
{
    char boundary[BOUNDARY_SIZE];
    if (message->html.len == 0) {
        put_text_part(out, "plain", message->text);
        return;
    }
    if (message->text.len == 0) {
        put_text_part(out, "html", message->html);
        return;
    }
    boundary_write(message, 'a', boundary);
    (void)buf_printf(out, "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n--%s\r\n",
                     boundary, boundary);
    put_text_part(out, "plain", message->text);
    (void)buf_printf(out, "--%s\r\n", boundary);
    put_text_part(out, "html", message->html);
    (void)buf_printf(out, "--%s--\r\n", boundary);
}

/* "image/png" */
static bool is_media_type(str mime)
{
    static const char others[] = "!#$&-^_.+";
    size_t slashes             = 0;
    for (size_t i = 0; i < mime.len; i++) {
        char c = mime.ptr[i];
        if (c == '/') slashes++;
        bool is_good =
            is_letter(c) || is_digit(c) || c == '/' || (c != '\0' && strchr(others, c) != NULL);
        if (!is_good) return false;
    }
    return slashes == 1 && mime.ptr[0] != '/' && mime.ptr[mime.len - 1] != '/' && mime.len <= 127;
}

static status put_attachment(const struct message_attachment *attachment, struct buf *out,
                             struct error *reterr)
{
    str mime = attachment->mime.len > 0 ? attachment->mime : str_from("application/octet-stream");
    bool is_good = attachment->name.len > 0 && attachment->name.len <= MESSAGE_NAME_MAX;
    if (!is_good || has_control(attachment->name) || !is_media_type(mime)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`attachments`: a name or media type is none");
    }
    (void)buf_printf(out,
                     "Content-Type: " STR_FMT "\r\nContent-Disposition: attachment;\r\n "
                     "filename*=UTF-8''",
                     STR_ARG(mime));
    (void)url_encode(out, attachment->name); /* RFC 2231 */
    (void)buf_put_text(out, "\r\n");
    put_base64_body(out, attachment->data);
    return STATUS_OK;
}

static status put_parts(const struct message *message, struct buf *out, struct error *reterr)
{
    char boundary[BOUNDARY_SIZE];
    boundary_write(message, 'm', boundary);
    (void)buf_printf(out, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n",
                     boundary, boundary);
    put_texts(message, out);
    for (size_t i = 0; i < message->attachment_count; i++) {
        (void)buf_printf(out, "--%s\r\n", boundary);
        TRY(put_attachment(&message->attachments[i], out, reterr));
    }
    (void)buf_printf(out, "--%s--\r\n", boundary);
    return STATUS_OK;
}

status message_put(const struct message *message, struct buf *out, struct error *reterr)
{
    TRY(put_headers(message, out, reterr));
    if (message->attachment_count == 0) {
        put_texts(message, out);
    } else {
        TRY(put_parts(message, out, reterr));
    }
    if (!out->is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the mail is too large");
}

const char *message_id(str key, str domain, struct arena *arena)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * ID_BYTES + 1];
    sha256(bytes_from(key), digest);
    hex_encode(digest, ID_BYTES, hex);
    return arena_printf(arena, "%s@" STR_FMT, hex, STR_ARG(domain));
}
