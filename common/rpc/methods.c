#include "base/mem.h"
#include "rpc/methods_internal.h"

#include <stdlib.h>

static const struct rpc_method *handler_of(const struct rpc_method *handlers, const char *name)
{
    for (; handlers && handlers->name; handlers++) {
        if (strcmp(handlers->name, name) == 0) return handlers;
    }
    return NULL;
}

static status check_handlers(const ProtobufCServiceDescriptor *descriptor,
                             const struct rpc_method *handlers, struct error *reterr)
{
    for (; handlers && handlers->name; handlers++) {
        if (!protobuf_c_service_descriptor_get_method_by_name(descriptor, handlers->name)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "%s has no method %s", descriptor->name,
                        handlers->name);
        }
        if (!handlers->handle) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "%s.%s: no handler", descriptor->name,
                        handlers->name);
        }
    }
    return STATUS_OK;
}

status methods_add(struct methods *methods, const struct rpc_contract_service *contract,
                   const ProtobufCServiceDescriptor *descriptor, const struct rpc_method *handlers,
                   void *context, struct error *reterr)
{
    const struct rpc_contract_service *service = rpc_contract_service(contract, descriptor->name);
    if (!service) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "%s is missing in rpc/contract.c",
                    descriptor->name);
    }
    if (service->number > RPC_SERVICE_NUMBER_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: its number is above %d", descriptor->name,
                    RPC_SERVICE_NUMBER_MAX);
    }
    if (methods->services[service->number].methods) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s is there twice", descriptor->name);
    }
    TRY(check_handlers(descriptor, handlers, reterr));
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        if (!rpc_contract_method(service, descriptor->methods[i].name)) {
            return fail(reterr, STATUS_FAILED_PRECONDITION, "%s.%s is missing in rpc/contract.c",
                        descriptor->name, descriptor->methods[i].name);
        }
    }
    struct method *list = mem_new(descriptor->n_methods, sizeof *list);
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &descriptor->methods[i];
        list[i]                                 = (struct method){
                                            .service  = service,
                                            .contract = rpc_contract_method(service, method->name),
                                            .input    = method->input,
                                            .output   = method->output,
                                            .number   = (uint16_t)(service->number * 256 + i),
                                            .handler  = handler_of(handlers, method->name),
                                            .context  = context,
        };
    }
    methods->services[service->number].descriptor = descriptor;
    methods->services[service->number].methods    = list;
    methods->added[methods->count++]              = methods->services[service->number];
    return STATUS_OK;
}

void methods_done(struct methods *methods)
{
    for (unsigned i = 0; i <= RPC_SERVICE_NUMBER_MAX; i++) free(methods->services[i].methods);
    *methods = (struct methods){};
}

const struct method *methods_by_number(const struct methods *methods, uint16_t number)
{
    unsigned service = number / 256;
    unsigned index   = number % 256;
    if (service > RPC_SERVICE_NUMBER_MAX || !methods->services[service].methods) return NULL;
    if (index >= methods->services[service].descriptor->n_methods) return NULL;
    return &methods->services[service].methods[index];
}

const struct method *methods_by_name(const struct methods *methods,
                                     const ProtobufCServiceDescriptor *descriptor, const char *name)
{
    unsigned i = 0;
    while (i < methods->count && methods->added[i].descriptor != descriptor) i++;
    if (i == methods->count) return NULL;
    const ProtobufCMethodDescriptor *method =
        protobuf_c_service_descriptor_get_method_by_name(descriptor, name);
    return method ? &methods->added[i].methods[method - descriptor->methods] : NULL;
}
