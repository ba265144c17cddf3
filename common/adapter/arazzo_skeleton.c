/* What the writer of a manifest from Arazzo says on its way, and the values that it writes. */
#include "adapter/arazzo_internal.h"
#include "adapter/manifest.h"
#include "base/utf8.h"
#include "json/json_map.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHY_MAX = ERROR_TEXT_MAX };

/* --- what is said ----------------------------------------------------------------------------- */

void skeleton_say(struct skeleton *skeleton, enum severity severity, const char *below,
                  const char *format, ...)
{
    char text[WHY_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t back = skeleton->pointer.len;
    if (*below) (void)json_pointer_add(&skeleton->pointer, str_from(below));
    (void)diagnostics_add(skeleton->list, "", severity, buf_str(&skeleton->pointer), 0, 0, "%s",
                          text);
    skeleton->pointer.len = back;
}

/* What is not taken over: a warning, and a comment where it is missed. */
void skeleton_leave_out(struct skeleton *skeleton, const char *below, const char *indent,
                        const char *why)
{
    struct buf *out = skeleton->import.out;
    skeleton_say(skeleton, SEVERITY_WARNING, below, "not taken over: %s", why);
    (void)buf_printf(out, "%s# not taken over: %s: ", indent, below);
    for (const char *c = why; *c; c++) {
        bool is_plain = *c >= ' ' && *c < 0x7f;
        (void)buf_put_byte(out, is_plain ? *c : '?');
    }
    (void)buf_put_byte(out, '\n');
}

/* An expression that cannot be: wrong ones are errors, others are left out. */
void skeleton_complain(struct skeleton *skeleton, const char *below, const char *indent,
                       status code, const struct error *why)
{
    if (code == STATUS_UNIMPLEMENTED) {
        skeleton_leave_out(skeleton, below, indent, why->text);
    } else {
        skeleton_say(skeleton, SEVERITY_ERROR, below, "%s", why->text);
    }
}

size_t skeleton_enter(struct skeleton *skeleton, const char *name)
{
    size_t back = skeleton->pointer.len;
    (void)json_pointer_add(&skeleton->pointer, str_from(name));
    return back;
}

size_t skeleton_enter_index(struct skeleton *skeleton, size_t index)
{
    size_t back = skeleton->pointer.len;
    (void)json_pointer_add_index(&skeleton->pointer, index);
    return back;
}

void skeleton_leave(struct skeleton *skeleton, size_t back)
{
    skeleton->pointer.len = back;
}

/* --- values ----------------------------------------------------------------------------------- */

struct filling {
    const struct arazzo_scope *scope;
    status code;
    struct error error;
};

static json fill(str, json value, void *context)
{
    struct filling *filling = context;
    const char *formula     = NULL;
    if (!json_is(value, JSON_TEXT) || filling->code != STATUS_OK) return json_invalid();
    filling->code = arazzo_text(filling->scope, json_str(value), &formula, &filling->error);
    return filling->code == STATUS_OK ? json_text_from(formula) : json_invalid();
}

/* JSON is YAML, but for characters that YAML does not take as they are. */
static void put_json(struct buf *out, str from)
{
    size_t offset = 0;
    while (offset < from.len) {
        uint32_t c = utf8_next(from, &offset);
        if (c >= ' ' && c < 0x7f) {
            (void)buf_put_byte(out, (char)c);
        } else {
            (void)buf_printf(out, "\\U%08" PRIx32, c);
        }
    }
}

/* A value with runtime expressions in it, as the manifest has them; false: that was said, and
 * nothing was written. */
bool skeleton_put_value(struct skeleton *skeleton, const char *below, const char *indent,
                        const char *head, json value)
{
    CLEANUP(buf_done) struct buf text = buf_init(MANIFEST_SIZE_MAX);
    struct filling filling            = {.scope = &skeleton->scope};
    CLEANUP(json_unrefp)
    json made = json_is(value, JSON_TEXT) ? fill((str){}, value, &filling)
                                          : json_map_values(value, fill, &filling);
    if (filling.code != STATUS_OK) {
        skeleton_complain(skeleton, below, indent, filling.code, &filling.error);
        return false;
    }
    (void)json_print(made, JSON_COMPACT, &text);
    if (memmem(text.ptr, text.len, "\\u0000", 6)) {
        skeleton_leave_out(skeleton, below, indent, "a text with NUL");
        return false;
    }
    (void)buf_printf(skeleton->import.out, "%s%s: ", indent, head);
    put_json(skeleton->import.out, buf_str(&text));
    (void)buf_put_byte(skeleton->import.out, '\n');
    return true;
}
