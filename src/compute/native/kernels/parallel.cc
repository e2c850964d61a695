#include "parallel.h"

#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace recsys {
namespace {

struct Job {
  const std::function<void(int)>* work;
  int shards;
  std::atomic<int> next{0};
  std::atomic<int> done{0};
  std::mutex mutex;
  std::condition_variable finished;

  // Takes shards until none is left.
  void help() {
    for (int i = next++; i < shards; i = next++) {
      (*work)(i);
      if (++done == shards) {
        std::lock_guard<std::mutex> lock(mutex);
        finished.notify_all();
      }
    }
  }
};

class Pool {
 public:
  Pool() {
    const char* asked = getenv("TF_NUM_INTRAOP_THREADS");
    int threads = asked ? atoi(asked) : 0;
    if (threads < 1) threads = std::thread::hardware_concurrency();
    for (int i = 1; i < threads; i++) std::thread([this] { serve(); }).detach();
    helpers_ = threads - 1;
  }
  void run(const std::shared_ptr<Job>& job) {
    int wanted = std::min(helpers_, job->shards - 1);
    if (wanted > 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      for (int i = 0; i < wanted; i++) waiting_.push_back(job);
    }
    for (int i = 0; i < wanted; i++) arrived_.notify_one();
    job->help();
    std::unique_lock<std::mutex> lock(job->mutex);
    job->finished.wait(lock, [&] { return job->done == job->shards; });
  }

 private:
  void serve() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        arrived_.wait(lock, [this] { return !waiting_.empty(); });
        job = waiting_.front();
        waiting_.pop_front();
      }
      job->help();
    }
  }
  int helpers_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::shared_ptr<Job>> waiting_;
};

}  // namespace

void parallel(int shards, const std::function<void(int)>& work) {
  // Never destroyed: its threads live until the process ends.
  static Pool* pool = new Pool();
  auto job = std::make_shared<Job>();
  job->work = &work;
  job->shards = shards;
  pool->run(job);
}

}  // namespace recsys
