/*
 * The first two bytes say how the form is cut, the line behind them is its Content-Type. Fed in
 * such pieces and fed whole it must give the same parts, or fail both times with the same words;
 * and fed whole, the data of a part lies in one piece of the form.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "http/multipart.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOG_MAX = 8 << 20 };

struct seen {
    struct buf log; /* of each part: its texts, then its data */
    struct error error;
    const char *end; /* of the data of the part, in a form that is fed whole */
    status code;
};

static void seen_done(struct seen *seen)
{
    buf_done(&seen->log);
}

static void note(struct buf *log, str text)
{
    (void)buf_put_u32(log, (uint32_t)text.len);
    (void)buf_put_str(log, text);
}

static void see(struct seen *seen, const struct multipart *form, enum multipart_step step, str data)
{
    if (step == MULTIPART_PART) {
        const struct multipart_part *part = &form->part;
        ASSERT(part->name.len > 0 && form->part_count <= MULTIPART_PARTS_MAX);
        note(&seen->log, part->name);
        note(&seen->log, part->file_name.ptr ? part->file_name : str_from("(none)"));
        note(&seen->log, part->type);
        seen->end = NULL;
        return;
    }
    ASSERT(data.len > 0);
    (void)buf_put_str(&seen->log, data);
    seen->end = data.ptr + data.len;
}

/* All events of one piece; false: nothing more is to be fed. */
static bool feed(struct multipart *form, str piece, bool is_whole, struct seen *seen)
{
    for (;;) {
        str data                 = {};
        enum multipart_step step = multipart_next(form, &piece, &data, &seen->error);
        if (step == MULTIPART_MORE) return true;
        if (step == MULTIPART_BAD) seen->code = STATUS_INVALID_ARGUMENT;
        if (step == MULTIPART_BAD || step == MULTIPART_END) return false;
        ASSERT(!is_whole || step == MULTIPART_PART || !seen->end || seen->end == data.ptr);
        see(seen, form, step, data);
    }
}

static void decode(str type, str body, size_t first, size_t rest, struct seen *seen)
{
    CLEANUP(multipart_done) struct multipart form;
    size_t size = first;
    bool goes   = true;
    seen->code  = multipart_init(&form, type, &seen->error);
    if (seen->code != STATUS_OK) return;
    for (size_t at = 0; at < body.len && goes; at += size, size = at == first ? rest : size) {
        goes = feed(&form, str_slice(body, at, at + size), first >= body.len, seen);
    }
    if (seen->code == STATUS_OK) seen->code = multipart_finish(&form, &seen->error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    str input       = {.ptr = (const char *)data + 2, .len = size - 2};
    const char *end = memchr(input.ptr, '\n', input.len);
    if (!end) return 0;
    str type = str_slice(input, 0, (size_t)(end - input.ptr));
    str body = str_slice(input, type.len + 1, input.len);

    CLEANUP(seen_done) struct seen whole = {.log = buf_init(LOG_MAX)};
    CLEANUP(seen_done) struct seen cut   = {.log = buf_init(LOG_MAX)};
    decode(type, body, body.len, body.len, &whole);
    decode(type, body, (size_t)data[0] + 1, (size_t)data[1] + 1, &cut);
    ASSERT(whole.code == cut.code);
    ASSERT(strcmp(whole.error.text, cut.error.text) == 0);
    ASSERT(str_equal(buf_str(&whole.log), buf_str(&cut.log)));
    return 0;
}
