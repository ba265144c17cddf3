/* Headers Link and bodies of a page, as the other side sends them. */
#include "tool-adapter/http/pages.h"

#include "base/assert.h"
#include "json/json_text.h"

#include <stdint.h>

static const char manifest_text[] = "manifest: tutti/adapter/v1\n"
                                    "name: shop\n"
                                    "version: '1.0.0'\n"
                                    "title: A shop\n"
                                    "docs: https://shop.test/docs\n"
                                    "http: {base_url: 'https://shop.test/v1'}\n"
                                    "pagination:\n"
                                    "  link: {type: link_header}\n"
                                    "  url: {type: next_url, next: '=.response.body'}\n"
                                    "actions:\n"
                                    "  links:\n"
                                    "    summary: Lists\n"
                                    "    effect: read\n"
                                    "    params: {properties: {}}\n"
                                    "    request: {method: GET, path: /items}\n"
                                    "    paginate: {use: link}\n"
                                    "    output: {items: '=.response.body'}\n"
                                    "    example: {params: {}}\n"
                                    "  urls:\n"
                                    "    summary: Lists\n"
                                    "    effect: read\n"
                                    "    params: {properties: {}}\n"
                                    "    request: {method: GET, path: /items}\n"
                                    "    paginate: {use: url}\n"
                                    "    output: {items: '=.response.body'}\n"
                                    "    example: {params: {}}\n";

enum { ARENA_MAX = 32 << 20 };

static void play(const struct manifest *manifest, const char *name, str text, struct arena *arena)
{
    struct pages pages                   = {};
    CLEANUP(json_unrefp) json scope      = json_object_new(2);
    json headers                         = json_object_new(1);
    json response                        = json_object_new(2);
    bool has_more                        = false;
    const struct manifest_action *action = manifest_action(manifest, str_from(name));
    json_object_put_text(&headers, "link", json_text_lossy(text));
    json_object_put_text(&response, "headers", headers);
    json_object_put_text(&response, "body", json_text_lossy(text));
    scope_put(&scope, "response", response);
    status code = pages_init(action, scope, str_from("https://shop.test/v1"), arena, &pages, NULL);
    ASSERT(code == STATUS_OK);
    code = pages_add(&pages, scope, json_array_new(0), &has_more, NULL);
    if (code == STATUS_OK && has_more) {
        ASSERT(str_starts_with(pages.next.url, str_from("https://")));
        ASSERT(pages.next.url.len <= OUTGOING_URL_MAX);
    }
    pages_done(&pages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) struct arena *arena          = arena_new(ARENA_MAX);
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct diagnostics *list                          = diagnostics_new(arena);
    status code = manifest_read(str_from(manifest_text), list, &manifest, NULL);
    ASSERT(code == STATUS_OK);
    str text = {.ptr = (const char *)data, .len = size};
    play(manifest, "links", text, arena);
    play(manifest, "urls", text, arena);
    return 0;
}
