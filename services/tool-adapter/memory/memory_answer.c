/* What the calls answer, on the loop; and the list of functions. */
#include "adapter/derive.h"
#include "base/clock.h"
#include "tool-adapter/memory/memory_call.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <math.h>

static void put_text(json *object, const char *name, str text)
{
    json_object_put_text(object, name, json_text_lossy(text));
}

/* The same id that a manifest derives for other servers: namespace, U+001F, key. */
static json id_new(struct module_call *call, str key)
{
    const struct memory_call *about = call->about;
    char id[UUID_TEXT_SIZE];
    const char *name = arena_printf(call->arena, STR_FMT "\x1f" STR_FMT,
                                    STR_ARG(about->scope.namespace), STR_ARG(key));
    derive_uuid(name ? str_from(name) : key, id);
    return json_text_from(id);
}

static json map_new(str text)
{
    json value = json_invalid();
    if (text.len > 0 && json_parse(text, NULL, &value, NULL, NULL) == STATUS_OK) return value;
    return json_null();
}

static void put_time(json *object, const char *name, int64_t unix_us)
{
    char text[TIME_TEXT_SIZE];
    time_format(unix_us, text);
    json_object_put_text(object, name, json_text_from(text));
}

static json item_new(struct module_call *call, const struct memory_entry *entry, bool with_content)
{
    json item = json_object_new(8);
    json_object_put_text(&item, "id", id_new(call, entry->key));
    put_text(&item, "key", entry->key);
    if (with_content) put_text(&item, "content", entry->content);
    json_object_put_text(&item, "metadata", map_new(entry->metadata));
    if (entry->subject.len > 0) put_text(&item, "subject", entry->subject);
    put_time(&item, "created_at", entry->created_us);
    put_time(&item, "updated_at", entry->updated_us);
    return item;
}

static json one_member(const char *name, json value)
{
    json body = json_object_new(1);
    json_object_put_text(&body, name, value);
    return body;
}

json memory_answer_id(struct module_call *call)
{
    const struct memory_call *about = call->about;
    return one_member("id", id_new(call, about->items[0].key));
}

json memory_answer_ids(struct module_call *call)
{
    const struct memory_call *about = call->about;
    json ids                        = json_array_new(about->item_count);
    for (size_t i = 0; i < about->item_count; i++) {
        json_array_push(&ids, id_new(call, about->items[i].key));
    }
    json body = one_member("ids", ids);
    json_object_put_text(&body, "dropped", json_int((int64_t)about->deleted));
    return body;
}

json memory_answer_found(struct module_call *call)
{
    const struct memory_call *about = call->about;
    json items                      = json_array_new(about->page.count);
    for (size_t i = 0; i < about->page.count; i++) {
        json item    = item_new(call, &about->page.entries[i], true);
        double score = (double)about->page.entries[i].score; /* of lengths that were rounded */
        json_object_put_text(&item, "score", json_real(fmax(-1, fmin(1, score))));
        json_array_push(&items, item);
    }
    return one_member("items", items);
}

json memory_answer_item(struct module_call *call)
{
    const struct memory_call *about = call->about;
    bool is_there                   = about->page.count > 0;
    return one_member("item", is_there ? item_new(call, about->page.entries, true) : json_null());
}

static void put_vector(struct module_call *call, const struct memory_entry *entry, json *object)
{
    const struct memory_call *about      = call->about;
    const struct memory_version *current = &about->page.space.versions[MEMORY_CURRENT];
    if (!entry->vector) return;
    size_t size                       = current->dimensions * sizeof *entry->vector;
    size_t len                        = base64_size(size);
    CLEANUP(buf_done) struct buf text = buf_init(len + 1);
    base64_encode(entry->vector, size, buf_reserve(&text, len + 1));
    put_text(object, "vector", (str){.ptr = text.ptr, .len = len});
    put_text(object, "version", memory_version_name(call->arena, current));
}

json memory_answer_entries(struct module_call *call)
{
    const struct memory_call *about = call->about;
    json list                       = json_array_new(about->page.count);
    for (size_t i = 0; i < about->page.count; i++) {
        const struct memory_entry *entry = &about->page.entries[i];
        json one                         = json_object_new(6);
        put_text(&one, "key", entry->key);
        if (about->with_vectors) {
            put_text(&one, "content", entry->content);
            if (entry->metadata.len > 0) {
                json_object_put_text(&one, "metadata", map_new(entry->metadata));
            }
            if (entry->subject.len > 0) put_text(&one, "subject", entry->subject);
            put_vector(call, entry, &one);
        }
        json_array_push(&list, one);
    }
    return one_member("entries", list);
}

json memory_answer_deleted(struct module_call *call)
{
    const struct memory_call *about = call->about;
    return one_member("deleted", json_int((int64_t)about->deleted));
}

json memory_answer_list(struct module_call *call)
{
    const struct memory_call *about = call->about;
    json items                      = json_array_new(about->page.count);
    for (size_t i = 0; i < about->page.count; i++) {
        json_array_push(&items, item_new(call, &about->page.entries[i], false));
    }
    json body = one_member("items", items);
    bool more = about->page.has_more && about->page.count > 0;
    json_object_put_text(&body, "cursor",
                         more ? json_text_lossy(about->page.entries[about->page.count - 1].key)
                              : json_null());
    return body;
}

static json version_new(struct module_call *call, const struct memory_version *version)
{
    if (!version->id) return json_null();
    json one = json_object_new(6);
    put_text(&one, "version", memory_version_name(call->arena, version));
    put_text(&one, "model", version->model);
    json_object_put_text(&one, "dimensions", json_int(version->dimensions));
    put_text(&one, "label", version->label);
    put_text(&one, "embedding", version->asked);
    json_object_put_text(&one, "vectors", json_int((int64_t)version->count));
    return one;
}

json memory_answer_spaces(struct module_call *call)
{
    const struct memory_call *about = call->about;
    json list                       = json_array_new(about->space_count);
    for (size_t i = 0; i < about->space_count; i++) {
        const struct memory_space *space = &about->spaces[i];
        json one                         = json_object_new(5);
        put_text(&one, "namespace", space->name);
        json_object_put_text(&one, "count", json_int((int64_t)space->count));
        json_object_put_text(&one, "current", version_new(call, &space->versions[MEMORY_CURRENT]));
        json_object_put_text(&one, "next", version_new(call, &space->versions[MEMORY_NEXT]));
        json_object_put_text(&one, "is_slow",
                             json_bool(space->count >= memory_of(call)->slow_count));
        json_array_push(&list, one);
    }
    return one_member("spaces", list);
}

json memory_answer_reembed(struct module_call *call)
{
    const struct memory_call *about = call->about;
    const char *cursor              = arena_printf(call->arena, "%" PRIu64, about->next);
    json body                       = json_object_new(3);
    json_object_put_text(&body, "cursor", json_text_from(cursor && about->next ? cursor : ""));
    json_object_put_text(&body, "done", json_bool(about->is_done));
    json_object_put_text(&body, "embedded", json_int((int64_t)about->page.count));
    return body;
}

const struct module_function memory_functions[] = {
    {.name   = "memory.remember",
     .read   = memory_read_remember,
     .run    = memory_run_remember,
     .answer = memory_answer_id},
    {.name   = "memory.remember_many",
     .read   = memory_read_many,
     .run    = memory_run_remember,
     .answer = memory_answer_ids},
    {.name   = "memory.recall",
     .read   = memory_read_recall,
     .run    = memory_run_recall,
     .answer = memory_answer_found},
    {.name   = "memory.get",
     .read   = memory_read_keys,
     .run    = memory_run_get,
     .answer = memory_answer_item},
    {.name   = "memory.delete",
     .read   = memory_read_delete,
     .run    = memory_run_delete,
     .answer = memory_answer_deleted},
    {.name   = "memory.list",
     .read   = memory_read_list,
     .run    = memory_run_list,
     .answer = memory_answer_list},
    {.name   = "memory.stats",
     .read   = memory_read_stats,
     .run    = memory_run_stats,
     .answer = memory_answer_spaces},
    {.name   = "memory.reembed",
     .read   = memory_read_reembed,
     .run    = memory_run_reembed,
     .answer = memory_answer_reembed},
    {.name   = "memory.get_entries",
     .read   = memory_read_keys,
     .run    = memory_run_get,
     .answer = memory_answer_entries},
    {.name   = "memory.put_entries",
     .read   = memory_read_entries,
     .run    = memory_run_remember,
     .answer = memory_answer_ids},
    {},
};
