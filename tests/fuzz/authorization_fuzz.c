/* What servers say about authentication: the first byte chooses who reads the rest. */
#include "http/http.h"
#include "http/http_date.h"
#include "tool-adapter/authorization/digest.h"
#include "tool-adapter/authorization/oauth2.h"
#include "tool-adapter/authorization/resource_metadata.h"
#include "json/json_text.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void challenge(str text)
{
    struct digest_challenge found       = {};
    CLEANUP(buf_done) struct buf out    = buf_init(DIGEST_HEADER_MAX);
    const struct digest_request request = {.method   = str_from("GET"),
                                           .uri      = str_from("/"),
                                           .username = str_from("u"),
                                           .password = str_from("p"),
                                           .cnonce   = str_from("c")};
    if (digest_challenge_read(text, &found)) (void)digest_answer(&found, &request, &out);
}

static void answer(str text, bool is_discovery)
{
    static const char issuers[]       = "{\"issuers\":[\"https://i\"],\"authority\":\"https://i\"}";
    CLEANUP(json_unrefp) json members = json_invalid();
    struct oauth2_token token         = {};
    CLEANUP(buf_done) struct buf url  = buf_init(HTTP_URL_MAX);
    if (json_parse(str_from(issuers), NULL, &members, NULL, NULL) != STATUS_OK) return;
    const struct oauth2_policy policy = {.is_oidc = true, .members = members};
    if (is_discovery) {
        (void)oauth2_discovered_url(&policy, text, &url, NULL);
    } else if (oauth2_answer_read(&policy, 200, text, &token, NULL) == STATUS_OK) {
        oauth2_token_done(&token);
    }
}

static void bearer(str text)
{
    struct resource_challenge said   = {};
    CLEANUP(buf_done) struct buf url = buf_init(RESOURCE_URL_MAX);
    resource_challenge_read(text, &said);
    (void)resource_metadata_url(text, &said, 0, &url);
    for (unsigned i = 0; i < 3; i++) (void)server_metadata_url(text, i, &url);
}

static void metadata(str text, bool is_server)
{
    CLEANUP(json_unrefp) json client = json_object_new(2);
    CLEANUP(json_unrefp) json of     = json_object_new(1);
    CLEANUP(json_unrefp) json found  = json_invalid();
    CLEANUP(json_unrefp) json issuer = json_invalid();
    json_object_put_text(&client, "id", json_text_from("a"));
    json_object_put_text(&client, "secret", json_text_from("s"));
    json_object_put_text(&of, "resource", json_text_from("https://r/mcp"));
    if (is_server) {
        (void)!server_metadata_read(str_from("https://i"), text, client, of, text, &found, NULL);
    } else {
        (void)!resource_metadata_read(str_from("https://r/mcp"), (str){}, text, &found, &issuer,
                                      NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    str text       = {.ptr = (const char *)data + 1, .len = size - 1};
    int64_t unix_s = 0;
    switch (data[0] % 8) {
    case 0: challenge(text); break;
    case 1: answer(text, false); break;
    case 2: answer(text, true); break;
    case 3: (void)http_date_read(text, &unix_s); break;
    case 4: bearer(text); break;
    default: metadata(text, data[0] % 2 == 0); break;
    }
    return 0;
}
