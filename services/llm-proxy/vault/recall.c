#include "llm-proxy/vault/recall.h"

#include "llm-proxy/chat/chat_loss.h"
#include "llm-proxy/chat/wire.h"

#include <string.h>

#define MISS_GONE    "vault_miss: what the model signed with this call is gone"
#define MISS_FOREIGN "vault_miss: what another model signed with this call is not sent"

static bool is_call_or_result(const struct chat_part *part)
{
    return part->kind == PART_TOOL_CALL || part->kind == PART_TOOL_RESULT;
}

/* The parts of a tool's result share its id, whatever their kinds. */
static bool has_kept_id(const struct chat_message *message, const struct chat_part *part)
{
    return (message->role == ROLE_TOOL || is_call_or_result(part)) && vault_is_id(part->id);
}

bool recall_is_needed(const struct chat_request *request)
{
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t k = 0; k < message->part_count; k++) {
            if (has_kept_id(message, &message->parts[k])) return true;
        }
    }
    return false;
}

static bool is_among(const str *ids, size_t count, str id)
{
    size_t i = 0;
    while (i < count && !str_equal(ids[i], id)) i++;
    return i < count;
}

size_t recall_missing(struct vault *vault, str namespace, const struct chat_request *request,
                      int64_t now_ms, str *ret_ids, size_t max)
{
    size_t count = 0;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t k = 0; k < message->part_count && count < max; k++) {
            str id          = message->parts[k].id;
            bool is_foreign = has_kept_id(message, &message->parts[k]) &&
                              vault_is_foreign(vault, id) && !is_among(ret_ids, count, id);
            if (is_foreign && !vault_get(vault, namespace, id, now_ms)) ret_ids[count++] = id;
        }
    }
    return count;
}

/* --- cache markers -----------------------------------------------------------------------------
 */

static uint32_t count_marks(const struct chat_request *request)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t k = 0; k < message->part_count; k++) {
            count += !json_is(message->parts[k].cache, JSON_INVALID);
        }
    }
    for (uint32_t i = 0; i < request->tool_count; i++) {
        count += !json_is(request->tools[i].cache, JSON_INVALID);
    }
    return count;
}

/* A marker that the client gives now is remembered; one that it gave once is given again, as long
 * as the upstream takes another one. */
static void restore_mark(const struct recall *recall, struct chat_part *part, str id,
                         const struct vault_entry *entry, uint32_t *mark_count)
{
    bool is_result       = part->kind != PART_TOOL_CALL;
    enum vault_mark mark = is_result ? entry->result_mark : entry->call_mark;
    if (!json_is(part->cache, JSON_INVALID)) {
        bool is_long = str_is(wire_text(part->cache, "ttl"), "1h");
        vault_note_mark(recall->vault, recall->namespace, id, is_result,
                        is_long ? VAULT_MARK_1H : VAULT_MARK_5M, recall->now_ms);
    } else if (mark != VAULT_MARK_NONE && *mark_count < RECALL_MARKS_MAX) {
        part->mark = mark == VAULT_MARK_1H ? "1h" : "5m";
        (*mark_count)++;
    }
}

/* --- calls -------------------------------------------------------------------------------------
 */

static struct chat_part part_of(const struct vault_block *block)
{
    if (block->is_sealed) {
        return (struct chat_part){.kind = PART_SEALED, .data = block->text, .is_own = true};
    }
    return (struct chat_part){
        .kind = PART_THINKING, .text = block->text, .signature = block->signature, .is_own = true};
}

/* What is kept of a part under an id of ours, if it is this target's; NULL and a loss: it is not.
 */
static const struct vault_entry *entry_of(const struct recall *recall,
                                          const struct chat_request *request, struct losses *losses,
                                          const struct chat_message *message,
                                          const struct chat_part *part)
{
    const struct vault_entry *entry =
        vault_get(recall->vault, recall->namespace, part->id, recall->now_ms);
    bool is_own = entry && str_equal(entry->provider, recall->provider) &&
                  str_equal(entry->model, recall->model);
    if (is_own) return entry;
    if (part->kind == PART_TOOL_CALL) {
        chat_lose_part(request, losses, message, part, "", LOSS_DROPPED,
                       entry ? MISS_FOREIGN : MISS_GONE);
    }
    return NULL;
}

static uint32_t count_blocks(const struct recall *recall, const struct chat_message *message)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < message->part_count; i++) {
        const struct chat_part *part = &message->parts[i];
        if (part->kind != PART_TOOL_CALL || !vault_is_id(part->id)) continue;
        const struct vault_entry *entry =
            vault_get(recall->vault, recall->namespace, part->id, recall->now_ms);
        count += entry ? entry->block_count : 0;
    }
    return count;
}

static void put_blocks(const struct vault_entry *entry, bool is_early, struct chat_part *parts,
                       uint32_t *count)
{
    for (uint32_t i = 0; i < entry->block_count; i++) {
        if (entry->blocks[i].is_early == is_early) parts[(*count)++] = part_of(&entry->blocks[i]);
    }
}

/* Thoughts that came before everything else go before the message's other parts, the others
 * directly before their calls. */
static bool fill_message(const struct recall *recall, struct chat_request *request,
                         struct chat_message *message, struct losses *losses, uint32_t *mark_count)
{
    uint32_t room           = message->part_count + count_blocks(recall, message);
    uint32_t count          = 0;
    struct chat_part *parts = arena_alloc(recall->arena, (room + 1) * sizeof *parts);
    const struct vault_entry **entries =
        arena_alloc(recall->arena, (message->part_count + 1) * sizeof *entries);
    if (!parts || !entries) return false;
    for (uint32_t i = 0; i < message->part_count; i++) {
        const struct chat_part *part = &message->parts[i];
        if (!has_kept_id(message, part)) continue;
        entries[i] = entry_of(recall, request, losses, message, part);
        if (entries[i] && part->kind == PART_TOOL_CALL) {
            put_blocks(entries[i], true, parts, &count);
        }
    }
    for (uint32_t i = 0; i < message->part_count; i++) {
        struct chat_part part = message->parts[i];
        if (entries[i]) {
            bool is_call = part.kind == PART_TOOL_CALL;
            if (is_call) put_blocks(entries[i], false, parts, &count);
            if (is_call || i == 0) restore_mark(recall, &part, part.id, entries[i], mark_count);
            if (is_call) part.signature = entries[i]->signature;
            part.is_own = is_call;
            if (entries[i]->id.len > 0) part.id = entries[i]->id;
        }
        parts[count++] = part;
    }
    message->parts      = parts;
    message->part_count = count;
    return true;
}

bool recall_fill(const struct recall *recall, struct chat_request *request, struct losses *losses)
{
    uint32_t mark_count = count_marks(request);
    for (uint32_t i = 0; i < request->message_count; i++) {
        if (!fill_message(recall, request, &request->messages[i], losses, &mark_count)) {
            return false;
        }
    }
    return true;
}
