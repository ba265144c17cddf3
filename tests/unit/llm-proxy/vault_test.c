/* The vault alone, what a scribe puts into it from an answer, and what the next request gets back.
 */
#include "llm-proxy/vault/vault.h"

#include "base/buf.h"
#include "llm-proxy/providers/anthropic.h"
#include "llm-proxy/providers/gemini.h"
#include "llm-proxy/vault/recall.h"
#include "llm-proxy/vault/scribe.h"

#include "cmocka.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 8 << 20, TEXT_MAX = 1 << 20, DAY_MS = 24 * 3'600'000 };

static str s(const char *text)
{
    return str_from(text);
}

static const struct vault_entry *get(struct vault *vault, const char *namespace, const char *id,
                                     int64_t now_ms)
{
    return vault_get(vault, s(namespace), s(id), now_ms);
}

/* --- the vault ---------------------------------------------------------------------------------
 */

static void test_ids(void **)
{
    struct vault *vault = vault_new(0xfeed'0123'4567'89ab, 0);
    char one[VAULT_ID_SIZE];
    char two[VAULT_ID_SIZE];
    vault_mint(vault, one);
    vault_mint(vault, two);
    assert_string_equal(one, "tc-0123456789ab-1");
    assert_string_equal(two, "tc-0123456789ab-2");
    assert_true(vault_is_id(s(one)));
    static const char *const others[] = {"",
                                         "tc-",
                                         "tc-0123456789ab-",
                                         "tc-0123456789ab",
                                         "tc-0123456789aB-1",
                                         "tc-0123456789ab-x",
                                         "tc_0123456789ab-1",
                                         "call_0123456789ab-1",
                                         "tc-0123456789ab-11111111111111111"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(vault_is_id(s(others[i])));
    }
    assert_true(vault_is_id(s("tc-0123456789ab-1111111111111111")));
    vault_freep(&vault);
    vault_freep(&vault);
}

static void test_namespaces_and_age(void **)
{
    struct vault *vault            = vault_new(1, 0);
    const struct vault_block block = {.is_early = true, .text = s("hm"), .signature = s("sig")};
    const struct vault_entry entry = {.provider    = s("p"),
                                      .model       = s("m"),
                                      .id          = s("own"),
                                      .signature   = s("call"),
                                      .blocks      = &block,
                                      .block_count = 1};
    vault_put(vault, s("a"), s("tc-1"), &entry, 1'000);
    assert_null(get(vault, "b", "tc-1", 1'000));
    assert_null(get(vault, "a", "tc-2", 1'000));
    const struct vault_entry *kept = get(vault, "a", "tc-1", 1'000 + DAY_MS);
    assert_non_null(kept);
    assert_true(str_is(kept->provider, "p") && str_is(kept->model, "m") && str_is(kept->id, "own"));
    assert_true(str_is(kept->signature, "call") && kept->block_count == 1);
    assert_true(str_is(kept->blocks[0].text, "hm") && str_is(kept->blocks[0].signature, "sig"));
    assert_true(kept->blocks[0].is_early && kept->blocks[0].text.ptr != block.text.ptr);
    assert_null(get(vault, "a", "tc-1", 1'001 + DAY_MS));
    assert_int_equal(vault_count(vault), 0);
    assert_int_equal(vault_bytes(vault), 0);

    vault_put(vault, s("a"), s("tc-1"), &entry, 1'000);
    vault_put(vault, s("a"), s("tc-2"), &entry, 1'001 + DAY_MS); /* the old one goes */
    assert_int_equal(vault_count(vault), 1);
    vault_put(vault, s("b"), s("tc-2"), &entry, 1'002 + DAY_MS); /* instead of the same id */
    assert_int_equal(vault_count(vault), 1);
    assert_null(get(vault, "a", "tc-2", 1'002 + DAY_MS));
    vault_freep(&vault);
}

static void test_bounds(void **)
{
    enum { BIG = VAULT_ENTRY_BYTES_MAX - 64, COUNT = 40 };
    struct vault *vault = vault_new(1, 0);
    char *text          = calloc(1, VAULT_ENTRY_BYTES_MAX + 1);
    char id[VAULT_ID_SIZE];
    assert_non_null(text);
    struct vault_entry entry = {.signature = {text, VAULT_ENTRY_BYTES_MAX + 1}};
    vault_put(vault, s("a"), s("tc-1"), &entry, 0);
    assert_int_equal(vault_count(vault), 0); /* too large: as if it had been forgotten */
    entry.signature.len = BIG;
    for (int i = 0; i < COUNT; i++) {
        vault_mint(vault, id);
        vault_put(vault, s("a"), s(id), &entry, 0);
        assert_true(vault_bytes(vault) <= VAULT_BYTES_MAX);
    }
    assert_int_equal(vault_count(vault), VAULT_BYTES_MAX / VAULT_ENTRY_BYTES_MAX - 1);
    assert_non_null(get(vault, "a", id, 0));              /* the newest stays */
    assert_null(get(vault, "a", "tc-000000000001-1", 0)); /* the oldest went */
    entry.signature.len = 8;
    entry.block_count   = VAULT_BLOCKS_MAX + 1;
    vault_mint(vault, id);
    vault_put(vault, s("a"), s(id), &entry, 0);
    assert_null(get(vault, "a", id, 0));
    vault_freep(&vault);
    free(text);
}

/* --- from an answer to the next request --------------------------------------------------------
 */

struct world {
    struct vault *vault;
    struct scribe *scribe;
    struct arena *arena;
    json source;
    struct chat_request *request;
    struct losses losses;
    struct buf printed, ids;
};

static void begin(struct world *world, const char *provider)
{
    *world       = (struct world){.printed = buf_init(TEXT_MAX), .ids = buf_init(TEXT_MAX)};
    world->vault = vault_new(1, 0);
    world->arena = arena_new(ARENA_MAX);
    assert_non_null(world->arena);
    world->scribe = scribe_new(world->vault, s("ns"), s(provider), s("m"));
    world->losses = (struct losses){.arena = world->arena};
}

static void end(struct world *world)
{
    scribe_free(world->scribe);
    vault_freep(&world->vault);
    chat_request_done(world->request);
    json_unref(world->source);
    arena_free(world->arena);
    buf_done(&world->printed);
    buf_done(&world->ids);
}

static void said(struct world *world, enum llm_event_kind kind, uint32_t part, const char *name,
                 const char *text)
{
    struct llm_event event = {
        .kind = kind, .part = part, .name = s(name), .bytes = s(text), .id = s(text)};
    struct llm_event out = scribe_take(world->scribe, &event, 0);
    assert_int_equal(out.kind, kind);
    if (kind == LLM_TOOL_START) (void)buf_printf(&world->ids, STR_FMT " ", STR_ARG(out.id));
}

/* The next turn: `text`, with ' for ", is the client's body; as `to` is sent it. */
static void next_turn(struct world *world, const char *text, const char *namespace,
                      const char *provider, enum llm_protocol to)
{
    char *body = strdup(text);
    assert_non_null(body);
    for (char *p = body; *p; p++) *p = *p == '\'' ? '"' : *p;
    assert_int_equal(json_parse(s(body), NULL, &world->source, NULL, NULL), STATUS_OK);
    free(body);
    assert_int_equal(chat_from_openai(world->source, world->arena, &world->request, NULL),
                     STATUS_OK);
    const struct recall what  = {.vault     = world->vault,
                                 .namespace = s(namespace),
                                 .provider  = s(provider),
                                 .model     = s("m"),
                                 .now_ms    = 1,
                                 .arena     = world->arena};
    struct chat_request *copy = chat_copy(world->request, world->arena);
    assert_non_null(copy);
    assert_true(recall_is_needed(world->request));
    assert_true(recall_fill(&what, copy, &world->losses));
    bool is_printed =
        to == PROTOCOL_GEMINI
            ? gemini_print(copy, s("gemini-3-pro"), &world->losses, &world->printed)
            : anthropic_print(copy, s("m"), s("2023-06-01"), &world->losses, &world->printed);
    assert_true(is_printed);
    for (size_t i = 0; i < world->printed.len; i++) {
        if (world->printed.ptr[i] == '"') world->printed.ptr[i] = '\'';
    }
    (void)buf_put(&world->printed, "", 1);
}

static void expect_part(const struct world *world, const char *expected)
{
    if (strstr(world->printed.ptr, expected)) return;
    fail_msg("no %s in %s", expected, world->printed.ptr);
}

#define CALL(id, name)                                                                             \
    "{'id':'" id "','type':'function','function':{'name':'" name "','arguments':'{}'}}"
#define RESULT(id) "{'role':'tool','tool_call_id':'" id "','content':'ok'}"
#define TURN(calls, results)                                                                       \
    "{'model':'r','max_tokens':9,'messages':[{'role':'user','content':'hi'},"                      \
    "{'role':'assistant','content':'so','tool_calls':[" calls "]}," results "]}"

static void test_claude(void **)
{
    struct world world;
    begin(&world, "claude");
    said(&world, LLM_THINKING, 0, "", "let me ");
    said(&world, LLM_THINKING, 0, "", "see");
    said(&world, LLM_OPAQUE, 0, "signature", "S1");
    said(&world, LLM_OPAQUE, 1, "redacted_thinking", "R1");
    said(&world, LLM_TEXT, 2, "", "so");
    said(&world, LLM_THINKING, 3, "", "again");
    said(&world, LLM_OPAQUE, 3, "signature", "S2");
    said(&world, LLM_TOOL_START, 4, "f", "toolu_1");
    said(&world, LLM_TOOL_START, 5, "g", "toolu_2");
    said(&world, LLM_THINKING, 6, "", "nobody signed this");
    said(&world, LLM_TOOL_START, 7, "h", "toolu_3");
    assert_true(str_is(buf_str(&world.ids), "tc-000000000001-1 toolu_2 toolu_3 "));
    next_turn(&world,
              TURN(CALL("tc-000000000001-1", "f") "," CALL("toolu_2", "g"),
                   RESULT("tc-000000000001-1") "," RESULT("toolu_2")),
              "ns", "claude", PROTOCOL_ANTHROPIC);
    expect_part(&world, "'content':[{'type':'thinking','thinking':'let me see','signature':'S1'},"
                        "{'type':'redacted_thinking','data':'R1'},{'type':'text','text':'so'},"
                        "{'type':'thinking','thinking':'again','signature':'S2'},"
                        "{'type':'tool_use','id':'toolu_1','name':'f','input':{}},"
                        "{'type':'tool_use','id':'toolu_2','name':'g','input':{}}]");
    expect_part(&world, "{'type':'tool_result','tool_use_id':'toolu_1','content':'ok'},"
                        "{'type':'tool_result','tool_use_id':'toolu_2','content':'ok'}");
    assert_int_equal(world.losses.count, 0);
    end(&world);
}

static void test_gemini(void **)
{
    struct world world;
    begin(&world, "google");
    said(&world, LLM_THINKING, 0, "", "a summary");
    said(&world, LLM_OPAQUE, 0, "thought_signature", "T0"); /* of a text: not a call's */
    said(&world, LLM_OPAQUE, 1, "thought_signature", "T1");
    said(&world, LLM_TOOL_START, 1, "f", "call_1");
    said(&world, LLM_TOOL_START, 2, "g", "call_2");
    assert_true(str_is(buf_str(&world.ids), "tc-000000000001-1 call_2 "));
    next_turn(&world,
              TURN(CALL("tc-000000000001-1", "f") "," CALL("call_2", "g"),
                   RESULT("tc-000000000001-1") "," RESULT("call_2")),
              "ns", "google", PROTOCOL_GEMINI);
    expect_part(&world,
                "{'functionCall':{'id':'call_1','name':'f','args':{}},'thoughtSignature':'T1'},"
                "{'functionCall':{'id':'call_2','name':'g','args':{}}}]");
    expect_part(&world, "{'functionResponse':{'id':'call_1','name':'f'");
    assert_int_equal(world.losses.count, 0);
    end(&world);
}

/* Nobody else gets what a model has signed, and that is said. */
static void test_misses(void **)
{
    static const struct {
        const char *namespace, *provider, *id, *note;
    } rows[] = {
        {"other", "google", "tc-000000000001-1", "is gone"},
        {"ns", "google", "tc-000000000001-9", "is gone"},
        {"ns", "google", "tc-00000000000f-1", "is gone"},
        {"ns", "elsewhere", "tc-000000000001-1", "another model"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        char turn[1024];
        begin(&world, "google");
        said(&world, LLM_OPAQUE, 0, "thought_signature", "T1");
        said(&world, LLM_TOOL_START, 0, "f", "call_1");
        (void)snprintf(turn, sizeof turn, TURN(CALL("%s", "f"), RESULT("%s")), rows[i].id,
                       rows[i].id);
        next_turn(&world, turn, rows[i].namespace, rows[i].provider, PROTOCOL_GEMINI);
        assert_null(strstr(world.printed.ptr, "T1"));
        assert_null(strstr(world.printed.ptr, "call_1"));
        assert_int_equal(world.losses.count, 2); /* the miss, and the word in its place */
        assert_string_equal(world.losses.items[0].path, "/messages/1/tool_calls/0");
        assert_non_null(strstr(world.losses.items[0].note, "vault_miss"));
        assert_non_null(strstr(world.losses.items[0].note, rows[i].note));
        end(&world);
    }
}

/* What does not fit is not kept, but missed. */
static void test_too_much(void **)
{
    struct world world;
    begin(&world, "claude");
    for (uint32_t i = 0; i <= VAULT_BLOCKS_MAX; i++) {
        said(&world, LLM_OPAQUE, i, "redacted_thinking", "R");
    }
    said(&world, LLM_TOOL_START, 99, "f", "toolu_1");
    assert_true(str_is(buf_str(&world.ids), "tc-000000000001-1 "));
    assert_int_equal(vault_count(world.vault), 0);
    end(&world);
}

static void test_marks(void **)
{
    struct world world;
    begin(&world, "claude");
    said(&world, LLM_OPAQUE, 0, "redacted_thinking", "R1");
    said(&world, LLM_TOOL_START, 1, "f", "toolu_1");
    next_turn(
        &world,
        "{'model':'r','max_tokens':9,'messages':[{'role':'assistant','tool_calls':["
        "{'id':'tc-000000000001-1','type':'function','function':{'name':'f'},"
        "'cache_control':{'type':'ephemeral'}}]},{'role':'tool','content':'ok',"
        "'tool_call_id':'tc-000000000001-1','cache_control':{'type':'ephemeral','ttl':'1h'}}]}",
        "ns", "claude", PROTOCOL_ANTHROPIC);
    expect_part(&world, "'input':{},'cache_control':{'type':'ephemeral'}}");
    expect_part(&world, "'content':'ok','cache_control':{'type':'ephemeral','ttl':'1h'}}");
    json_unref(json_take(&world.source));
    chat_request_done(world.request);
    buf_clear(&world.printed);
    next_turn(&world, TURN(CALL("tc-000000000001-1", "f"), RESULT("tc-000000000001-1")), "ns",
              "claude", PROTOCOL_ANTHROPIC);
    expect_part(&world, "'input':{},'cache_control':{'type':'ephemeral','ttl':'5m'}}");
    expect_part(&world, "'content':'ok','cache_control':{'type':'ephemeral','ttl':'1h'}}");
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),      cmocka_unit_test(test_namespaces_and_age),
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_claude),
        cmocka_unit_test(test_gemini),   cmocka_unit_test(test_misses),
        cmocka_unit_test(test_too_much), cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
