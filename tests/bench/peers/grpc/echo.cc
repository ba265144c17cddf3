// gRPC C++ with its callback API, measured as rpc_bench measures ours: two processes on this
// machine, a caller starts its next call when the last one is answered, CPU of both.
//
//   echo --serve            prints the port, serves until its standard input ends
//   echo --call PORT OUTSTANDING SIZE SECONDS
#include "echo.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kBuckets = 200000;  // of 1 us

int64_t CpuUs() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class EchoService final : public peer::Echo::CallbackService {
  grpc::ServerUnaryReactor* Say(grpc::CallbackServerContext* context, const peer::Saying* request,
                                peer::Saying* response) override {
    response->set_data(request->data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* Cpu(grpc::CallbackServerContext* context, const peer::Saying*,
                                peer::Saying* response) override {
    response->set_number(static_cast<uint64_t>(CpuUs()));
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int Serve() {
  EchoService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server->Shutdown();
  return 0;
}

struct Load {
  std::unique_ptr<peer::Echo::Stub> stub;
  std::string data;
  std::atomic<bool> is_counting{false};
  std::atomic<bool> is_over{false};
  std::atomic<uint64_t> calls{0};
  std::atomic<uint64_t> failed{0};
  std::unique_ptr<std::atomic<uint32_t>[]> histogram{new std::atomic<uint32_t>[kBuckets]()};
  std::mutex mutex;
  std::condition_variable changed;
  unsigned running = 0;
};

struct Caller {
  Load* load;
  std::unique_ptr<grpc::ClientContext> context;
  peer::Saying request;
  peer::Saying response;
  int64_t started_us;

  void Start() {
    context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    request.set_data(load->data);
    started_us = NowUs();
    load->stub->async()->Say(context.get(), &request, &response,
                             [this](grpc::Status status) { Done(status); });
  }

  void Done(const grpc::Status& status) {
    if (!status.ok()) load->failed++;
    if (load->is_counting.load(std::memory_order_relaxed)) {
      int64_t us = std::min(NowUs() - started_us, kBuckets - 1);
      load->histogram[static_cast<size_t>(us)].fetch_add(1, std::memory_order_relaxed);
      load->calls.fetch_add(1, std::memory_order_relaxed);
    }
    if (!load->is_over.load(std::memory_order_relaxed)) {
      Start();
      return;
    }
    std::lock_guard<std::mutex> lock(load->mutex);
    load->running--;
    load->changed.notify_one();
  }
};

int64_t ServerCpuUs(Load& load) {
  grpc::ClientContext context;
  peer::Saying request;
  peer::Saying response;
  if (!load.stub->Cpu(&context, request, &response).ok()) std::exit(1);
  return static_cast<int64_t>(response.number());
}

int64_t PercentileUs(const Load& load, double share) {
  auto wanted = static_cast<uint64_t>(static_cast<double>(load.calls) * share);
  uint64_t seen = 0;
  for (int64_t us = 0; us < kBuckets; us++) {
    seen += load.histogram[static_cast<size_t>(us)];
    if (seen > wanted) return us;
  }
  return kBuckets;
}

int Call(const char* port, unsigned outstanding, size_t size, int seconds) {
  Load load;
  load.stub = peer::Echo::NewStub(
      grpc::CreateChannel(std::string("127.0.0.1:") + port, grpc::InsecureChannelCredentials()));
  load.data.assign(size, '\0');
  load.running = outstanding;
  std::vector<Caller> callers(outstanding);
  for (Caller& caller : callers) {
    caller.load = &load;
    caller.Start();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  int64_t server_us = ServerCpuUs(load);
  int64_t client_us = CpuUs();
  int64_t start_us = NowUs();
  load.is_counting = true;
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  load.is_counting = false;
  auto wall_us = static_cast<double>(NowUs() - start_us);
  client_us = CpuUs() - client_us;
  server_us = ServerCpuUs(load) - server_us;
  load.is_over = true;
  std::unique_lock<std::mutex> lock(load.mutex);
  load.changed.wait(lock, [&] { return load.running == 0; });
  auto calls = static_cast<double>(load.calls);
  std::printf("{\"path\": \"grpc\", \"outstanding\": %u, \"size_bytes\": %zu, "
              "\"calls_per_s\": %.0f, \"p50_us\": %lld, \"p99_us\": %lld, "
              "\"cpu_us_per_call\": %.2f, \"failed\": %llu}",
              outstanding, size, calls * 1e6 / wall_us,
              static_cast<long long>(PercentileUs(load, 0.5)),
              static_cast<long long>(PercentileUs(load, 0.99)),
              static_cast<double>(client_us + server_us) / calls,
              static_cast<unsigned long long>(load.failed));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--serve") == 0) return Serve();
  if (argc == 6 && std::strcmp(argv[1], "--call") == 0) {
    return Call(argv[2], static_cast<unsigned>(std::atoi(argv[3])),
                static_cast<size_t>(std::atol(argv[4])), std::atoi(argv[5]));
  }
  std::fprintf(stderr, "usage: echo --serve | --call PORT OUTSTANDING SIZE SECONDS\n");
  return 64;
}
