/* Texts from anywhere in every place of a mail: whatever is taken, the headers stay those of ours,
 * and no line breaks but CR LF leave. The input is cut at its zero bytes. */
#include "base/assert.h"
#include "base/attr.h"
#include "tool-adapter/mail/message.h"

#include <string.h>

enum { PARTS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t cut(const uint8_t *data, size_t size, str parts[static PARTS])
{
    size_t count = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= size && count < PARTS; i++) {
        if (i < size && data[i] != 0) continue;
        parts[count++] = (str){.ptr = (const char *)data + begin, .len = i - begin};
        begin          = i + 1;
    }
    return count;
}

static void check(const struct buf *out)
{
    size_t subjects = 0;
    str text        = buf_str(out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n') ASSERT(i > 0 && text.ptr[i - 1] == '\r');
        if (text.ptr[i] == '\r') ASSERT(i + 1 < text.len && text.ptr[i + 1] == '\n');
        bool is_start = i > 0 && text.ptr[i - 1] == '\n';
        str rest      = str_slice(text, i, text.len);
        if (is_start) ASSERT(!str_starts_with(rest, str_from("Bcc:")));
        if (is_start && str_starts_with(rest, str_from("Subject:"))) subjects++;
    }
    ASSERT(subjects == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str parts[PARTS] = {};
    for (size_t i = 0; i < PARTS; i++) parts[i] = str_from("");
    (void)cut(data, size, parts);
    struct error error     = {};
    struct message message = {
        .subject = parts[2], .text = parts[3], .html = parts[4], .id = str_from("id@example.com")};
    struct mailbox to = {};
    if (mailbox_read(parts[0], &message.from, &error) != STATUS_OK) {
        if (mailbox_read(str_from("a@example.com"), &message.from, &error) != STATUS_OK) return 0;
    }
    if (mailbox_read(parts[1], &to, &error) == STATUS_OK) {
        message.to       = &to;
        message.to_count = 1;
    }
    const struct message_header header         = {.name = parts[5], .value = parts[6]};
    const struct message_attachment attachment = {
        .name = parts[7], .mime = parts[5], .data = bytes_from(parts[6])};
    message.headers                  = &header;
    message.header_count             = size % 2;
    message.attachments              = &attachment;
    message.attachment_count         = size % 3 == 0;
    CLEANUP(buf_done) struct buf out = buf_init(MESSAGE_SIZE_MAX);
    if (message_put(&message, &out, &error) == STATUS_OK) check(&out);
    return 0;
}
