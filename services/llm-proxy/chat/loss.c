#include "llm-proxy/chat/loss.h"

#include <stdarg.h>
#include <stdio.h>

enum { PATH_MAX_BYTES = 512, COUNT_ROOM = 16 };

void losses_add(struct losses *list, enum loss_action action, const char *path, const char *note)
{
    if (!list) return;
    if (!list->items) list->items = arena_alloc(list->arena, LOSSES_MAX * sizeof *list->items);
    uint32_t position = list->count++;
    if (!list->items || position >= LOSSES_MAX) return;
    const char *path_copy = arena_strdup(list->arena, str_from(path));
    const char *note_copy = arena_strdup(list->arena, str_from(note));
    list->items[position] = (struct loss){
        .path = path_copy ? path_copy : "", .note = note_copy ? note_copy : "", .action = action};
}

void losses_add_at(struct losses *list, enum loss_action action, const char *note,
                   const char *path_format, ...)
{
    char path[PATH_MAX_BYTES];
    va_list args;
    va_start(args, path_format);
    (void)vsnprintf(path, sizeof path, path_format, args);
    va_end(args);
    losses_add(list, action, path, note);
}

const char *loss_action_name(enum loss_action action)
{
    switch (action) {
    case LOSS_DROPPED: return "dropped";
    case LOSS_APPROXIMATED: return "approximated";
    case LOSS_DEFAULTED: return "defaulted";
    case LOSS_RENAMED: return "renamed";
    }
    return "dropped";
}

static uint32_t kept_count(const struct losses *list)
{
    if (!list->items) return 0;
    return list->count < LOSSES_MAX ? list->count : LOSSES_MAX;
}

void losses_print_paths(const struct losses *list, size_t size_max, struct buf *out)
{
    size_t start   = out->len;
    uint32_t shown = 0;
    for (; shown < kept_count(list); shown++) {
        str path = str_from(list->items[shown].path);
        if (out->len - start + path.len + COUNT_ROOM > size_max) break;
        if (shown > 0) (void)buf_put_text(out, ", ");
        (void)buf_put_str(out, path);
    }
    if (shown < list->count) {
        (void)buf_printf(out, "%s+%u", shown > 0 ? ", " : "", list->count - shown);
    }
}

void losses_write(const struct losses *list, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < kept_count(list); i++) {
        json_begin_object(w);
        json_put_text(w, "path", str_from(list->items[i].path));
        json_put_text(w, "action", str_from(loss_action_name(list->items[i].action)));
        json_put_text(w, "note", str_from(list->items[i].note));
        json_end_object(w);
    }
    json_end_array(w);
}

void losses_print_text(const struct losses *list, struct buf *out)
{
    for (uint32_t i = 0; i < kept_count(list); i++) {
        const struct loss *loss = &list->items[i];
        (void)buf_printf(out, "%s%s %s: %s", i > 0 ? "; " : "", loss->path,
                         loss_action_name(loss->action), loss->note);
    }
}
