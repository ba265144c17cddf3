#include "tool-adapter/call/call_key.h"

#include "json/json_text.h"

enum { TEXT_MAX = 64 << 20 /* bytes */ };

status call_key_make(const struct tool *tool, json scope, struct call_key *ret_key,
                     struct error *reterr)
{
    const struct manifest_action *action = tool->action;
    CLEANUP(json_unrefp) json value      = json_invalid();
    CLEANUP(buf_done) struct buf text    = buf_init(TEXT_MAX);
    struct error error                   = {};
    if (action->cache_key) {
        status code = formula_eval(action->cache_key, scope, scope_now_us(scope), &value, &error);
        if (code != STATUS_OK) return fail(reterr, code, "`cache.key`: %s", error.text);
    } else {
        value = json_ref(json_get_text(scope, "params"));
    }
    (void)json_print(value, JSON_SORTED, &text);
    static const bytes end = {"", 1};
    const bytes parts[]    = {{.ptr = &tool->generation, .len = sizeof tool->generation},
                              bytes_from(str_from(tool->connection->name)),
                              end,
                              bytes_from(str_from(action->manifest->version)),
                              end,
                              bytes_from(str_from(action->name)),
                              end,
                              bytes_from(buf_str(&text))};
    sha256_parts(parts, ARRAY_LEN(parts), ret_key->digest);
    return STATUS_OK;
}
