/* Tokens that come back from outside: of pages, of leases, of keys, of hints. What was made here
 * reads back; what was changed does not. The first byte says which it is. */
#include "auth/api_key.h"
#include "base/assert.h"
#include "rpc/hint.h"
#include "scheduler/engine/jobs/lease_token.h"
#include "scheduler/services/page_token.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void page(str text)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    const bytes filters                      = {"name", 4};
    const bytes others                       = {"else", 4};
    bytes place                              = {};
    struct error error                       = {};
    if (page_token_read(text, filters, arena, &place, &error) == STATUS_OK) {
        ASSERT(place.len <= PAGE_PLACE_MAX);
        const char *again = page_token_new(filters, place, arena);
        ASSERT(again && strlen(again) == text.len);
    } else {
        ASSERT(error.text[0]);
    }
    if (text.len == 0 || text.len > PAGE_PLACE_MAX) return;
    bytes found       = {};
    const char *token = page_token_new(filters, bytes_from(text), arena);
    ASSERT(token);
    ASSERT(page_token_read(str_from(token), filters, arena, &found, NULL) == STATUS_OK);
    ASSERT(found.len == text.len && memcmp(found.ptr, text.ptr, text.len) == 0);
    ASSERT(page_token_read(str_from(token), others, arena, &found, NULL) != STATUS_OK);
}

static void lease(bytes text)
{
    const struct lease_key key = {.data = {7}};
    struct lease found         = {};
    ASSERT(!lease_verify(text, &key, &found)); /* nobody guesses 16 bytes */
    if (text.len < 16) return;
    struct lease made        = {.number = (uint32_t)text.len, .expires_us = 5};
    made.job                 = id_unpack((const uint8_t *)text.ptr);
    struct lease_token token = lease_sign(&made, &key);
    const bytes whole        = {token.data, LEASE_TOKEN_SIZE};
    ASSERT(lease_verify(whole, &key, &found) && found.number == made.number);
    token.data[((const uint8_t *)text.ptr)[0] % LEASE_TOKEN_SIZE] ^= 1;
    ASSERT(!lease_verify(whole, &key, &found));
}

static void key(str text)
{
    struct api_key key = {};
    if (api_key_parse(text, &key)) ASSERT(str_is(text, key.text));
    str found = {};
    if (api_key_from_headers(text, (str){}, (str){}, &found)) ASSERT(found.len < text.len);
}

/* Bytes that mean nothing yet are not looked at. */
static void hint(bytes text)
{
    struct hint hint  = {};
    struct hint again = {};
    if (hint_decode(text, &hint, NULL) != STATUS_OK) return;
    uint8_t header[HINT_HEADER_SIZE];
    hint_header_encode(&hint, header);
    ASSERT(hint_decode((bytes){header, HINT_HEADER_SIZE}, &again, NULL) == STATUS_OK);
    ASSERT(again.partition == hint.partition && again.publisher == hint.publisher);
    ASSERT(again.sequence == hint.sequence);
    ASSERT(hint.payload.len == text.len - HINT_HEADER_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    str text = {.ptr = (const char *)data + 1, .len = size - 1};
    switch (data[0] % 4) {
    case 0: page(text); break;
    case 1: lease(bytes_from(text)); break;
    case 2: key(text); break;
    default: hint(bytes_from(text)); break;
    }
    return 0;
}
