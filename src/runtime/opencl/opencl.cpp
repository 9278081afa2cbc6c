// The device "opencl": a GPU if any driver offers one, else its first device. The library is opened at run time.
//
// A phase is  __kernel void entry(__global T0* b0, __global T1* b1, ..., long s0, long s1, ..., __global long* status)
// with the kernel's buffers in slot order, its scalars in order (floats as the bits of a double), then four words of status: who
// succeeds in atomic_cmpxchg((volatile __global int*)status, 0, 1) stores site, index and bound to status[1], [2], [3]. Shared memory
// is declared inside the kernel. Grid counts blocks of PhaseInfo::block threads. Binaries are the source text: drivers keep caches of
// their own, and text stays valid when a driver changes.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <map>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/fork.hpp"
#include "runtime/host_memory.hpp"
#include "runtime/registry.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

// clang-format off
#define TG_CL_FUNCTIONS(X)                                                                                      \
  X(GetPlatformIDs) X(GetDeviceIDs) X(GetDeviceInfo) X(CreateContext) X(ReleaseContext) X(CreateCommandQueue)   \
  X(ReleaseCommandQueue) X(CreateBuffer) X(CreateSubBuffer) X(ReleaseMemObject) X(EnqueueWriteBuffer)           \
  X(EnqueueReadBuffer) X(CreateProgramWithSource) X(BuildProgram) X(GetProgramBuildInfo) X(ReleaseProgram)      \
  X(CreateKernel) X(ReleaseKernel) X(SetKernelArg) X(EnqueueNDRangeKernel) X(Finish)
// clang-format on

/// The functions we use, each a member without its prefix.
struct OpenCl {
#define TG_MEMBER(name) decltype(&cl##name) name = nullptr;
  TG_CL_FUNCTIONS(TG_MEMBER)
#undef TG_MEMBER
};

const OpenCl& cl() {
  static const OpenCl* const opened = [] {
    void* const library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) throw DeviceError(fmt::format("{}. Install the package ocl-icd-libopencl1 and a driver", dlerror()));
    auto made = std::make_unique<OpenCl>();
#define TG_LOAD(name)                                                              \
  made->name = reinterpret_cast<decltype(made->name)>(dlsym(library, "cl" #name)); \
  if (!made->name) throw DeviceError("libOpenCL.so.1 lacks cl" #name "; OpenCL 1.2 is needed");
    TG_CL_FUNCTIONS(TG_LOAD)
#undef TG_LOAD
    return made.release();
  }();
  return *opened;
}

[[noreturn]] void fail(std::string_view what, cl_int code) {
  const char* name = "";
  switch (code) {
    case CL_OUT_OF_RESOURCES: name = " (out of resources)"; break;
    case CL_OUT_OF_HOST_MEMORY: name = " (out of host memory)"; break;
    case CL_MEM_OBJECT_ALLOCATION_FAILURE: name = " (no memory)"; break;
    case CL_INVALID_BUFFER_SIZE: name = " (buffer too large)"; break;
    case CL_INVALID_WORK_GROUP_SIZE: name = " (too many threads a block)"; break;
    case CL_INVALID_KERNEL_NAME: name = " (no such function)"; break;
    case CL_INVALID_ARG_SIZE:
    case CL_INVALID_ARG_INDEX:
    case CL_INVALID_KERNEL_ARGS: name = " (arguments do not match)"; break;
    default: break;
  }
  throw DeviceError(fmt::format("opencl: {} failed with code {}{}", what, code, name));
}
void check(std::string_view what, cl_int code) {
  if (code != CL_SUCCESS) fail(what, code);
}

/// An OpenCL object, released by the function for its kind.
template <typename T, auto OpenCl::* release>
struct Release {
  using pointer = T;
  void operator()(T object) const { (cl().*release)(object); }
};
template <typename T, auto OpenCl::* release>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, Release<T, release>>;
using Context = Owned<cl_context, &OpenCl::ReleaseContext>;
using Queue = Owned<cl_command_queue, &OpenCl::ReleaseCommandQueue>;
using Memory = Owned<cl_mem, &OpenCl::ReleaseMemObject>;
using ClProgram = Owned<cl_program, &OpenCl::ReleaseProgram>;
using ClKernel = Owned<cl_kernel, &OpenCl::ReleaseKernel>;

template <typename T>
T info(cl_device_id id, cl_device_info what) {
  T value{};
  check("clGetDeviceInfo", cl().GetDeviceInfo(id, what, sizeof(T), &value, nullptr));
  return value;
}
std::string text_info(cl_device_id id, cl_device_info what) {
  size_t size = 0;
  check("clGetDeviceInfo", cl().GetDeviceInfo(id, what, 0, nullptr, &size));
  std::string text(size, '\0');
  check("clGetDeviceInfo", cl().GetDeviceInfo(id, what, size, text.data(), nullptr));
  return text.c_str();
}

cl_device_id choose_device() {
  cl_uint count = 0;
  cl().GetPlatformIDs(0, nullptr, &count);  // answers with an error where there are none
  std::vector<cl_platform_id> platforms(count);
  if (count) check("clGetPlatformIDs", cl().GetPlatformIDs(count, platforms.data(), nullptr));
  for (const cl_device_type kind : {cl_device_type{CL_DEVICE_TYPE_GPU}, cl_device_type{CL_DEVICE_TYPE_ALL}})
    for (cl_platform_id platform : platforms) {
      cl_device_id found = nullptr;
      if (cl().GetDeviceIDs(platform, kind, 1, &found, nullptr) == CL_SUCCESS && found) return found;
    }
  throw DeviceError("no OpenCL driver offers a device. Install one, for a CPU the package pocl-opencl-icd");
}

Target describe(cl_device_id id) {
  const std::string extensions = text_info(id, CL_DEVICE_EXTENSIONS) + " ";
  const auto has = [&](std::string_view name) { return extensions.find(std::string(name) + " ") != std::string::npos; };
  Target t;
  t.name =
      fmt::format("opencl {} | {} | {}", text_info(id, CL_DEVICE_NAME), text_info(id, CL_DEVICE_VERSION), text_info(id, CL_DRIVER_VERSION));
  t.renderer = "opencl";
  t.vector_bytes = 16;
  t.cores = static_cast<int>(info<cl_uint>(id, CL_DEVICE_MAX_COMPUTE_UNITS));
  t.grid = true;
  t.max_threads = static_cast<int>(info<size_t>(id, CL_DEVICE_MAX_WORK_GROUP_SIZE));
  t.shared_bytes = static_cast<int64_t>(info<cl_ulong>(id, CL_DEVICE_LOCAL_MEM_SIZE));
  if (const auto cache = static_cast<int64_t>(info<cl_ulong>(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE))) t.l2_bytes = cache;
  const auto lacks = [&](DType type) { t.dtypes &= ~(1u << static_cast<int>(type)); };
  lacks(bfloat16);
  if (!has("cl_khr_fp64")) lacks(float64);
  if (!has("cl_khr_fp16")) lacks(float16);
  return t;
}

/// What a handle points to: a buffer, and the sub-buffers made of pieces of it (an OpenCL argument has no offset, and what kernels write
/// must not overlap), by offset and size.
struct Allocation {
  size_t bytes = 0;
  Memory memory;
  std::map<std::pair<size_t, size_t>, Memory> parts;
};

struct Phase {
  ClKernel kernel;
  size_t block[3];
};
struct OpenClProgram : Program {
  ClProgram built;
  std::vector<Phase> phases;
};

// PoCL reads 18,000 lines of declarations before every program, three quarters of the time that a kernel takes. With its header's guard
// defined it reads the types alone; the functions that rendered kernels call are declared here, as that header has them.
constexpr char kPoclOptions[] = " -D_OPENCL_H_";
constexpr char kPoclDeclarations[] = R"(
#define TG_F __attribute__((overloadable, const))
#define TG_E __attribute__((overloadable))
size_t TG_F get_group_id(uint); size_t TG_F get_local_id(uint);
void TG_E __attribute__((convergent)) barrier(cl_mem_fence_flags);
int TG_E atomic_cmpxchg(volatile __global int*, int, int);
float TG_E vload_half(size_t, const __private half*); void TG_E vstore_half_rte(float, size_t, __private half*);
float TG_F fma(float, float, float); float TG_F sqrt(float); float TG_F trunc(float);
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
double TG_F fma(double, double, double); double TG_F sqrt(double); double TG_F trunc(double);
#endif
)";

constexpr size_t kMostWaiting = 256;  // programs compiled but not yet loaded

/// One context with one in-order queue; the lock keeps each launch's arguments together.
class OpenClDevice : public Device {
 public:
  OpenClDevice() : id_(choose_device()), target_(describe(id_)) {
    if (const cl_uint bits = info<cl_uint>(id_, CL_DEVICE_MEM_BASE_ADDR_ALIGN); bits > 8 * kAlignment)
      throw DeviceError(
          fmt::format("opencl: {} wants buffers aligned to {} bits; at most {} are served", target_.name, bits, 8 * kAlignment));
    cl_int code = 0;
    context_.reset(cl().CreateContext(nullptr, 1, &id_, nullptr, nullptr, &code));
    check("clCreateContext", code);
    queue_.reset(cl().CreateCommandQueue(context_.get(), id_, 0, &code));
    check("clCreateCommandQueue", code);
    if (info<cl_device_fp_config>(id_, CL_DEVICE_SINGLE_FP_CONFIG) & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT)
      options_ += " -cl-fp32-correctly-rounded-divide-sqrt";
  }
  const Target& target() const override { return target_; }

  void* allocate(size_t bytes) override {
    check_process();
    const std::lock_guard lock(mutex_);
    const size_t size = bytes < size_t{1} << 60 ? size_class(bytes) : 0;
    auto& kept = free_[size];
    if (!kept.empty()) {
      Allocation* const reused = kept.back().release();
      kept.pop_back();
      kept_bytes_ -= size;
      return reused;
    }
    if (size == 0 || size > most_bytes_)
      throw DeviceError(fmt::format("opencl: no memory for {} bytes; a buffer holds at most {}", bytes, most_bytes_));
    auto made = std::make_unique<Allocation>();
    made->bytes = size;
    try {
      made->memory = create(size);
    } catch (const DeviceError&) {
      free_.clear();
      kept_bytes_ = 0;
      made->memory = create(size);
    }
    return made.release();
  }

  void free(void* handle, size_t) noexcept override {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Allocation> owned(static_cast<Allocation*>(handle));
    const size_t size = owned->bytes;
    if (kept_bytes_ + size > most_kept_) return;
    try {
      free_[size].push_back(std::move(owned));
      kept_bytes_ += size;
    } catch (const std::bad_alloc&) {
      // not kept, then
    }
  }

  void copy_in(MemoryRef to, const void* from, size_t bytes) override {
    if (bytes == 0) return;
    check_process();
    check("clEnqueueWriteBuffer", cl().EnqueueWriteBuffer(queue_.get(), whole(to), CL_TRUE, to.offset, bytes, from, 0, nullptr, nullptr));
  }
  void copy_out(void* to, MemoryRef from, size_t bytes) override {
    if (bytes == 0) return;
    check_process();
    check("clEnqueueReadBuffer", cl().EnqueueReadBuffer(queue_.get(), whole(from), CL_TRUE, from.offset, bytes, to, 0, nullptr, nullptr));
  }

  /// Builds, so that errors come out here, and keeps the result for the load that follows.
  std::string compile(const std::string& text) override {
    check_process();
    ClProgram built = build(text);
    const std::lock_guard lock(mutex_);
    if (just_built_.size() == kMostWaiting) just_built_.clear();
    just_built_[text] = std::move(built);
    return text;
  }

  std::shared_ptr<Program> load(const std::string& binary, std::span<const PhaseInfo> phases) override {
    check_process();
    auto program = std::make_shared<OpenClProgram>();
    {
      const std::lock_guard lock(mutex_);
      if (auto found = just_built_.extract(binary)) program->built = std::move(found.mapped());
    }
    if (!program->built) program->built = build(binary);
    for (const PhaseInfo& p : phases) {
      cl_int code = 0;
      ClKernel kernel(cl().CreateKernel(program->built.get(), p.entry.c_str(), &code));
      check(fmt::format("clCreateKernel of {}", p.entry), code);
      program->phases.push_back({std::move(kernel), {size_t(p.block[0]), size_t(p.block[1]), size_t(p.block[2])}});
    }
    return program;
  }

  void launch(Program& p, const LaunchArgs& args) override {
    check_process();
    const auto& program = static_cast<OpenClProgram&>(p);
    if (args.grids.size() != program.phases.size())
      throw InternalError(fmt::format("opencl: {} grids for a kernel of {} phases", args.grids.size(), program.phases.size()));
    const std::lock_guard lock(mutex_);
    const cl_mem status = status_of_this_thread();
    for (size_t i = 0; i < program.phases.size(); ++i) {
      const Phase& phase = program.phases[i];
      cl_uint slot = 0;
      const auto pass = [&](size_t size, const void* value) {
        check("clSetKernelArg", cl().SetKernelArg(phase.kernel.get(), slot++, size, value));
      };
      for (const MemoryRef& ref : args.buffers) {
        const cl_mem memory = part(ref);
        pass(sizeof memory, &memory);
      }
      for (const int64_t& scalar : args.scalars) pass(sizeof scalar, &scalar);
      pass(sizeof status, &status);
      size_t threads[3];
      for (int a = 0; a < 3; ++a) threads[a] = static_cast<size_t>(args.grids[i].n[a]) * phase.block[a];
      if (threads[0] * threads[1] * threads[2] == 0) continue;
      check("clEnqueueNDRangeKernel",
            cl().EnqueueNDRangeKernel(queue_.get(), phase.kernel.get(), 3, nullptr, threads, phase.block, 0, nullptr, nullptr));
    }
    if (std::exchange(first_launch_, false)) {  // by now the driver has set up what it compiles with
      check("clFinish", cl().Finish(queue_.get()));
      wait_at_exit();
    }
  }

  std::optional<Fault> synchronize() override {
    check_process();
    const std::lock_guard lock(mutex_);
    check("clFinish", cl().Finish(queue_.get()));
    auto mine = reporting_.extract(std::this_thread::get_id());
    if (!mine) return {};
    Memory memory = std::move(mine.mapped());
    Status s;
    check("clEnqueueReadBuffer", cl().EnqueueReadBuffer(queue_.get(), memory.get(), CL_TRUE, 0, sizeof s, &s, 0, nullptr, nullptr));
    if (s.set) clear(memory.get());
    quiet_.push_back(std::move(memory));
    if (!s.set) return {};
    return s.fault;
  }

 private:
  struct Status {
    int64_t set = 0;
    Fault fault;
  };

  /// A driver has threads of its own, which no child has.
  void check_process() const {
    if (process_ != forks_behind())
      throw DeviceError(
          "opencl: the device was opened before this process was forked, and its driver does not work here; use another device, or start "
          "the process anew (multiprocessing's \"spawn\"), or open the device after the fork alone");
  }
  Memory create(size_t bytes) {
    cl_int code = 0;
    Memory memory(cl().CreateBuffer(context_.get(), CL_MEM_READ_WRITE, bytes, nullptr, &code));
    check(fmt::format("clCreateBuffer of {} bytes", bytes), code);
    return memory;
  }

  void clear(cl_mem status) {
    const Status none;
    check("clEnqueueWriteBuffer", cl().EnqueueWriteBuffer(queue_.get(), status, CL_TRUE, 0, sizeof none, &none, 0, nullptr, nullptr));
  }
  /// Where launches of this thread report, so that it is told of them and no other is.
  cl_mem status_of_this_thread() {
    const auto id = std::this_thread::get_id();
    if (auto it = reporting_.find(id); it != reporting_.end()) return it->second.get();
    if (quiet_.empty()) {
      Memory made = create(sizeof(Status));
      clear(made.get());
      quiet_.push_back(std::move(made));
    }
    Memory& mine = reporting_[id] = std::move(quiet_.back());
    quiet_.pop_back();
    return mine.get();
  }

  static cl_mem whole(MemoryRef ref) { return static_cast<Allocation*>(ref.handle)->memory.get(); }

  static cl_mem part(MemoryRef ref) {
    auto& allocation = *static_cast<Allocation*>(ref.handle);
    const cl_buffer_region region{ref.offset, ref.bytes ? ref.bytes : allocation.bytes - ref.offset};
    if (region.size == allocation.bytes) return allocation.memory.get();
    Memory& made = allocation.parts[{region.origin, region.size}];
    if (!made) {
      cl_int code = 0;
      made.reset(cl().CreateSubBuffer(allocation.memory.get(), CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code));
      check(fmt::format("clCreateSubBuffer of {} bytes at {} of {}", region.size, region.origin, allocation.bytes), code);
    }
    return made.get();
  }

  /// The program of a text behind declarations, and whether it could be built.
  std::pair<ClProgram, bool> try_build(const char* declarations, const std::string& text, const std::string& options) {
    const char* const sources[] = {declarations, text.c_str()};
    cl_int code = 0;
    ClProgram program(cl().CreateProgramWithSource(context_.get(), 2, const_cast<const char**>(sources), nullptr, &code));
    check("clCreateProgramWithSource", code);
    code = cl().BuildProgram(program.get(), 1, &id_, options.c_str(), nullptr, nullptr);
    return {std::move(program), code == CL_SUCCESS};
  }

  ClProgram build(const std::string& text) {
    if (pocl_)
      if (auto [program, built] = try_build(kPoclDeclarations, text, options_ + kPoclOptions); built) return std::move(program);
    auto [program, built] = try_build("", text, options_);  // where a text calls more than that, or is wrong
    if (built) return std::move(program);
    size_t size = 0;
    cl().GetProgramBuildInfo(program.get(), id_, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
    std::string log(size, '\0');
    cl().GetProgramBuildInfo(program.get(), id_, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
    throw DeviceError("opencl: the driver rejects the kernel: " + first_error(log.c_str()));
  }

  /// The first error of a build log and the two lines behind it, which show the place.
  static std::string first_error(const std::string& log) {
    const size_t error = log.find("error:");
    const size_t begin = error == log.npos ? 0 : log.rfind('\n', error) + 1;
    size_t end = begin;
    for (int line = 0; line < 3 && end != log.npos; ++line) end = log.find('\n', end + (line > 0));
    return log.substr(begin, end == log.npos ? end : end - begin);
  }

  const cl_device_id id_;
  const Target target_;
  const size_t most_bytes_ = info<cl_ulong>(id_, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  const size_t most_kept_ = info<cl_ulong>(id_, CL_DEVICE_GLOBAL_MEM_SIZE) / 2;
  const bool pocl_ = target_.name.find("PoCL") != std::string::npos;
  std::string options_ = "-cl-std=CL1.2";
  Context context_;
  Queue queue_;
  std::map<std::thread::id, Memory> reporting_;  // status words of threads that have launched and not synchronized
  std::vector<Memory> quiet_;                    // those of nobody, cleared
  Mutex mutex_;
  const uint64_t process_ = forks_behind();
  bool first_launch_ = true;
  std::map<size_t, std::vector<std::unique_ptr<Allocation>>> free_;
  size_t kept_bytes_ = 0;
  std::map<std::string, ClProgram> just_built_;
};

}  // namespace

std::unique_ptr<Device> open_opencl() { return std::make_unique<OpenClDevice>(); }

}  // namespace tg
