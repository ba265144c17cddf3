/* Answers and questions that many operations share. */
#include "gateway/api/api.h"

#include <inttypes.h>
#include <stdio.h>

/* --- answers -----------------------------------------------------------------------------------
 */

void api_list_begin(struct api_answer *ret_answer, struct api_call *call)
{
    api_answer_begin(ret_answer, call);
    json_begin_object(&ret_answer->json);
    json_member(&ret_answer->json, "items");
    json_begin_array(&ret_answer->json);
}

void api_list_send(struct api_answer *answer, const char *next_token)
{
    json_end_array(&answer->json);
    if (*next_token) json_put_text(&answer->json, "next_page_token", str_from(next_token));
    json_end_object(&answer->json);
    api_answer_send(answer, 200, NULL);
}

void api_answer_send_tagged(struct api_answer *answer, int http_status, uint64_t revision)
{
    enum { TAG_SIZE = 24 };
    char tag[TAG_SIZE];
    (void)snprintf(tag, sizeof tag, "\"%" PRIu64 "\"", revision);
    const struct httpd_field field = {str_from("ETag"), str_from(tag)};
    api_answer_send(answer, http_status, &field);
}

void api_send_nothing(struct api_call *call, const struct rpc_answer *)
{
    api_respond(call, 204, NULL, (str){}, NULL, 0);
}

/* --- questions ---------------------------------------------------------------------------------
 */

bool api_read_page(struct api_call *call, uint32_t *ret_size, const char **ret_token)
{
    struct error error = {};
    status code        = api_page(call, ret_size, ret_token, &error);
    if (code != STATUS_OK) api_fail(call, code, &error);
    return code == STATUS_OK;
}

void api_ask_owner(struct api_call *call, const ProtobufCServiceDescriptor *service,
                   const char *method, const void *message, api_then *then)
{
    const struct api_ask ask = {.service   = service,
                                .method    = method,
                                .message   = message,
                                .partition = api_partition_of(call, call->params[0]),
                                .then      = then};
    api_ask_scheduler(call, &ask);
}
