#include "llm-proxy/vault/scribe.h"

#include "base/buf.h"
#include "base/mem.h"
#include "llm-proxy/stream/answer.h"

#include <stdlib.h>

enum { NAME_BYTES_MAX = 4096 };

struct thought {
    bool is_sealed, is_early;
    struct buf text, signature;
};

/* What one choice of the answer has said since its last call. */
struct choice {
    bool has_text;    /* at any time */
    bool is_too_much; /* it is not kept: the next turn misses it */
    bool has_words;   /* `words` are of `words_part` */
    uint32_t words_part;
    struct buf words; /* of a thought whose signature is to come */
    struct thought *thoughts;
    uint32_t thought_count;
    bool has_signature;
    uint32_t signature_part;
    struct buf signature; /* of the call that follows */
};

struct scribe {
    struct vault *vault;
    struct buf namespace, provider, model;
    struct choice choices[ANSWER_CHOICES_MAX];
    char id[VAULT_ID_SIZE];
};

static struct buf copy_of(str text)
{
    struct buf copy = buf_init(NAME_BYTES_MAX);
    (void)buf_put_str(&copy, text);
    return copy;
}

struct scribe *scribe_new(struct vault *vault, str namespace, str provider, str model)
{
    struct scribe *scribe = mem_new(1, sizeof *scribe);
    scribe->vault         = vault;
    scribe->namespace     = copy_of(namespace);
    scribe->provider      = copy_of(provider);
    scribe->model         = copy_of(model);
    for (size_t i = 0; i < ANSWER_CHOICES_MAX; i++) {
        scribe->choices[i].words     = buf_init(VAULT_ENTRY_BYTES_MAX);
        scribe->choices[i].signature = buf_init(VAULT_ENTRY_BYTES_MAX);
    }
    return scribe;
}

static void forget(struct choice *choice)
{
    for (uint32_t i = 0; i < choice->thought_count; i++) {
        buf_done(&choice->thoughts[i].text);
        buf_done(&choice->thoughts[i].signature);
    }
    free(TAKE(choice->thoughts));
    choice->thought_count = 0;
    choice->has_words     = false;
    choice->has_signature = false;
    choice->is_too_much   = false;
    buf_clear(&choice->words);
    buf_clear(&choice->signature);
}

void scribe_free(struct scribe *scribe)
{
    if (!scribe) return;
    for (size_t i = 0; i < ANSWER_CHOICES_MAX; i++) {
        forget(&scribe->choices[i]);
        buf_done(&scribe->choices[i].words);
        buf_done(&scribe->choices[i].signature);
    }
    buf_done(&scribe->namespace);
    buf_done(&scribe->provider);
    buf_done(&scribe->model);
    free(scribe);
}

/* --- what is said ------------------------------------------------------------------------------
 */

static void take_words(struct choice *choice, const struct llm_event *event)
{
    if (!choice->has_words || choice->words_part != event->part) buf_clear(&choice->words);
    choice->has_words  = true;
    choice->words_part = event->part;
    if (!buf_put_str(&choice->words, event->bytes)) choice->is_too_much = true;
}

static void add_thought(struct choice *choice, bool is_sealed, str text, str signature)
{
    if (choice->thought_count == VAULT_BLOCKS_MAX) {
        choice->is_too_much = true;
        return;
    }
    choice->thoughts =
        mem_resize(choice->thoughts, choice->thought_count + 1, sizeof *choice->thoughts);
    struct thought *thought = &choice->thoughts[choice->thought_count++];
    *thought                = (struct thought){.is_sealed = is_sealed,
                                               .is_early  = !choice->has_text,
                                               .text      = buf_init(VAULT_ENTRY_BYTES_MAX),
                                               .signature = buf_init(VAULT_ENTRY_BYTES_MAX)};
    bool is_kept = buf_put_str(&thought->text, text) && buf_put_str(&thought->signature, signature);
    if (!is_kept) choice->is_too_much = true;
}

static void take_opaque(struct choice *choice, const struct llm_event *event)
{
    if (str_is(event->name, "redacted_thinking")) {
        add_thought(choice, true, event->bytes, (str){});
    } else if (str_is(event->name, "signature")) {
        bool is_same = choice->has_words && choice->words_part == event->part;
        add_thought(choice, false, is_same ? buf_str(&choice->words) : (str){}, event->bytes);
        choice->has_words = false;
        buf_clear(&choice->words);
    } else if (str_is(event->name, "thought_signature")) {
        buf_clear(&choice->signature);
        choice->has_signature  = true;
        choice->signature_part = event->part;
        if (!buf_put_str(&choice->signature, event->bytes)) choice->is_too_much = true;
    }
}

/* --- a call ------------------------------------------------------------------------------------
 */

static void put(struct scribe *scribe, const struct choice *choice, const struct llm_event *call,
                int64_t now_ms)
{
    struct vault_block blocks[VAULT_BLOCKS_MAX];
    for (uint32_t i = 0; i < choice->thought_count; i++) {
        const struct thought *thought = &choice->thoughts[i];
        blocks[i]                     = (struct vault_block){
                                .is_sealed = thought->is_sealed,
                                .is_early  = thought->is_early,
                                .text      = buf_str(&thought->text),
                                .signature = buf_str(&thought->signature),
        };
    }
    const struct vault_entry entry = {
        .provider    = buf_str(&scribe->provider),
        .model       = buf_str(&scribe->model),
        .id          = call->id,
        .signature   = choice->has_signature ? buf_str(&choice->signature) : (str){},
        .blocks      = blocks,
        .block_count = choice->thought_count,
    };
    vault_put(scribe->vault, buf_str(&scribe->namespace), str_from(scribe->id), &entry, now_ms);
}

static void take_call(struct scribe *scribe, struct choice *choice, struct llm_event *event,
                      int64_t now_ms)
{
    if (choice->signature_part != event->part) choice->has_signature = false; /* of a text */
    if (choice->thought_count > 0 || choice->has_signature || choice->is_too_much) {
        vault_mint(scribe->vault, scribe->id);
        if (!choice->is_too_much) put(scribe, choice, event, now_ms);
        event->id = str_from(scribe->id);
    }
    forget(choice);
}

struct llm_event scribe_take(struct scribe *scribe, const struct llm_event *event, int64_t now_ms)
{
    struct llm_event out = *event;
    if (event->choice >= ANSWER_CHOICES_MAX) return out;
    struct choice *choice = &scribe->choices[event->choice];
    switch (event->kind) {
    case LLM_TEXT: choice->has_text = choice->has_text || event->bytes.len > 0; break;
    case LLM_THINKING: take_words(choice, event); break;
    case LLM_OPAQUE: take_opaque(choice, event); break;
    case LLM_TOOL_START: take_call(scribe, choice, &out, now_ms); break;
    default: break;
    }
    return out;
}
