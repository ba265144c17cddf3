/**
 * message: a mail as text (RFC 5322, MIME): headers and bodies with CR LF, ready for DATA.
 *
 * Nothing that is given can become a header or a recipient of its own: control characters are
 * refused in everything that stands in a header, names and subjects beyond ASCII become encoded
 * words, bodies are base64. Addresses are of ASCII; mailboxes beyond it (SMTPUTF8) are refused.
 *
 * Pure: the time is a parameter. Any thread.
 */
#ifndef TOOL_ADAPTER_MAIL_MESSAGE_H
#define TOOL_ADAPTER_MAIL_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

enum {
    MESSAGE_ADDRESS_MAX     = 254, /* bytes of an address (RFC 5321 section 4.5.3.1.3) */
    MESSAGE_NAME_MAX        = 200, /* bytes of a person's or file's name */
    MESSAGE_LINE_MAX        = 998, /* bytes of a header (RFC 5322 section 2.1.1) */
    MESSAGE_ADDRESSES_MAX   = 300,
    MESSAGE_ATTACHMENTS_MAX = 20,
    MESSAGE_HEADERS_MAX     = 20,
    MESSAGE_SIZE_MAX        = 32 << 20, /* bytes of the whole */
};

/** "Ada <ada@example.com>", "ada@example.com". */
struct mailbox {
    str name; /* empty: none */
    str address;
};

/** Reads one; views of `text`. INVALID_ARGUMENT: it is none, or has control characters in it. */
status mailbox_read(str text, struct mailbox *ret_mailbox, struct error *reterr);

/** Behind the `@`. */
str mailbox_domain(const struct mailbox *mailbox);

struct message_attachment {
    str name, mime; /* an empty `mime`: application/octet-stream */
    bytes data;
};

struct message_header {
    str name, value;
};

/** All borrowed. */
struct message {
    struct mailbox from;
    bool has_reply_to;
    struct mailbox reply_to;
    const struct mailbox *to, *cc; /* `bcc` is nobody's business */
    size_t to_count, cc_count;
    str subject;
    str text, html; /* empty: none */
    const struct message_attachment *attachments;
    size_t attachment_count;
    const struct message_header *headers;
    size_t header_count;
    str id; /* of Message-ID, without its brackets */
    int64_t now_us;
};

/** Appends it. INVALID_ARGUMENT names what is wrong: a header that is ours or none, a line break,
 * a media type that is none. RESOURCE_EXHAUSTED: it does not fit into `out`. */
status message_put(const struct message *message, struct buf *out, struct error *reterr);

/** The Message-ID of a job: the same for all its attempts. Lives as long as the arena; NULL past
 * its limit. */
const char *message_id(str key, str domain, struct arena *arena);

#endif
