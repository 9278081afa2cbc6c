// ELF64 relocatable objects for x86-64, after the System V ABI (AMD64 supplement, tables 4.9 and 4.10).
//
// The mapping:  [section][section]...[stub per undefined or address-taken symbol: 8 bytes address, 8 bytes "jmp *address"]
#include "runtime/cpu/loader.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <vector>

#include "base/float16.hpp"
#include "tg/error.hpp"

namespace tg {
namespace {

constexpr size_t kStubBytes = 16;
constexpr size_t kPage = 4096;

[[noreturn]] void reject(std::string_view why) { throw DeviceError(fmt::format("cpu: cannot load compiled code: {}", why)); }

// What a compiler calls to convert 16-bit floats on machines without the instructions. The ABI passes and returns them in the low
// bits of a vector register, where a float's low bits are too.
float float_of_low(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits}); }
float extend_half(float h) { return half_to_float(static_cast<uint16_t>(std::bit_cast<uint32_t>(h))); }
float half_of_float(float x) { return float_of_low(half_from(static_cast<double>(x))); }
float half_of_double(double x) { return float_of_low(half_from(x)); }
float bfloat16_of_float(float x) { return float_of_low(bfloat16_from(static_cast<double>(x))); }
float bfloat16_of_double(double x) { return float_of_low(bfloat16_from(x)); }

void* find_in_process(const std::string& name) {
  static const auto& own = *new std::map<std::string, void*>{{"__extendhfsf2", reinterpret_cast<void*>(extend_half)},
                                                   {"__truncsfhf2", reinterpret_cast<void*>(half_of_float)},
                                                   {"__truncdfhf2", reinterpret_cast<void*>(half_of_double)},
                                                   {"__truncsfbf2", reinterpret_cast<void*>(bfloat16_of_float)},
                                                   {"__truncdfbf2", reinterpret_cast<void*>(bfloat16_of_double)}};
  const auto it = own.find(name);
  void* found = it != own.end() ? it->second : dlsym(RTLD_DEFAULT, name.c_str());
  if (!found) reject(fmt::format("it calls {}, which the process does not have; the kernel must not use it", name));
  return found;
}

/// Bounds-checked reading of an object.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::string_view part(uint64_t offset, uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) reject("the object is truncated");
    return bytes_.substr(offset, size);
  }
  template <typename T>
  T read(uint64_t offset) const {
    T value;
    std::memcpy(&value, part(offset, sizeof(T)).data(), sizeof(T));
    return value;
  }
  template <typename T>
  std::vector<T> array(const Elf64_Shdr& section) const {
    const std::string_view bytes = part(section.sh_offset, section.sh_size);
    std::vector<T> result(bytes.size() / sizeof(T));
    if (!result.empty()) std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
    return result;
  }
  std::string text(const Elf64_Shdr& strings, uint64_t at) const {
    const std::string_view all = part(strings.sh_offset, strings.sh_size);
    if (at >= all.size()) reject("a name lies outside the string table");
    return std::string(all.substr(at, all.find('\0', at) - at));
  }

 private:
  std::string_view bytes_;
};

struct Section {
  Elf64_Shdr header;
  std::byte* at = nullptr;  // where it was placed; null if it is not kept
};

const Section& section(const std::vector<Section>& all, uint64_t index) {
  if (index >= all.size()) reject("a section number is out of range");
  return all[index];
}

/// All sections, and the bytes they take together, with `at` counted from zero. Unwind tables are not kept: kernels do not throw.
std::vector<Section> lay_out(const Reader& object, size_t& total) {
  const auto header = object.read<Elf64_Ehdr>(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_REL)
    reject("it is not a relocatable ELF64 object");
  if (header.e_machine != EM_X86_64) reject("it is not for x86-64, the only machine whose code this loader knows");
  std::vector<Section> sections;
  for (uint64_t i = 0; i < header.e_shnum; ++i) sections.push_back({object.read<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr))});
  const Elf64_Shdr& names = section(sections, header.e_shstrndx).header;
  for (Section& s : sections) {
    const Elf64_Shdr& h = s.header;
    if (!(h.sh_flags & SHF_ALLOC) || h.sh_size == 0 || h.sh_type == SHT_X86_64_UNWIND) continue;
    const std::string name = object.text(names, h.sh_name);
    if (name == ".eh_frame") continue;
    if (h.sh_type != SHT_PROGBITS || (h.sh_flags & SHF_WRITE)) reject(fmt::format("section {} holds writable data", name));
    if (h.sh_addralign > kPage || (h.sh_addralign & (h.sh_addralign - 1))) reject(fmt::format("section {} is misaligned", name));
    object.part(h.sh_offset, h.sh_size);
    const size_t align = h.sh_addralign ? h.sh_addralign : 1;
    total = (total + align - 1) & ~(align - 1);
    s.at = reinterpret_cast<std::byte*>(total + 1);  // plus one: zero means not kept
    total += h.sh_size;
  }
  return sections;
}

void relocate(std::byte* place, uint64_t room, uint64_t type, uint64_t symbol, int64_t addend) {
  const uint64_t value = symbol + static_cast<uint64_t>(addend), relative = value - reinterpret_cast<uint64_t>(place);
  const bool wide = type == R_X86_64_64 || type == R_X86_64_PC64;
  if (room < (wide ? 8u : 4u)) reject("a relocation lies outside its section");
  switch (type) {
    case R_X86_64_64: std::memcpy(place, &value, 8); return;
    case R_X86_64_PC64: std::memcpy(place, &relative, 8); return;
    case R_X86_64_PC32:
    case R_X86_64_PLT32:
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX: {
      const auto low = static_cast<int32_t>(relative);
      if (static_cast<int64_t>(relative) != low) reject("a relative address does not fit in 32 bits");
      std::memcpy(place, &low, 4);
      return;
    }
    default: reject(fmt::format("relocation type {} is not one of position-independent code", type));
  }
}

bool through_table(uint64_t type) { return type == R_X86_64_GOTPCREL || type == R_X86_64_GOTPCRELX || type == R_X86_64_REX_GOTPCRELX; }

}  // namespace

LoadedObject::LoadedObject(std::string_view bytes) {
  const Reader object(bytes);
  size_t code_bytes = 0;
  std::vector<Section> sections = lay_out(object, code_bytes);

  std::vector<Elf64_Sym> symbols;
  const Elf64_Shdr* names = nullptr;
  for (const Section& s : sections)
    if (s.header.sh_type == SHT_SYMTAB) {
      symbols = object.array<Elf64_Sym>(s.header);
      names = &section(sections, s.header.sh_link).header;
    }

  const size_t stubs_at = (code_bytes + kStubBytes - 1) & ~(kStubBytes - 1);
  const size_t size = (stubs_at + symbols.size() * kStubBytes + kPage - 1) & ~(kPage - 1);
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) reject(fmt::format("no memory for {} bytes: {}", size, std::strerror(errno)));
  struct Unmap {
    void* memory;
    size_t size;
    ~Unmap() {
      if (memory) munmap(memory, size);
    }
  } guard{mapped, size};
  auto* const memory = static_cast<std::byte*>(mapped);

  for (Section& s : sections)
    if (s.at) {
      s.at = memory + (reinterpret_cast<size_t>(s.at) - 1);
      std::memcpy(s.at, object.part(s.header.sh_offset, s.header.sh_size).data(), s.header.sh_size);
    }

  const auto address_of = [&](const Elf64_Sym& symbol) -> uint64_t {
    if (symbol.st_shndx == SHN_UNDEF) return reinterpret_cast<uint64_t>(find_in_process(object.text(*names, symbol.st_name)));
    const Section& s = section(sections, symbol.st_shndx);
    if (!s.at || symbol.st_value > s.header.sh_size) reject("a symbol lies outside the kept sections");
    return reinterpret_cast<uint64_t>(s.at) + symbol.st_value;
  };
  /// The symbol's entry of the table behind the code, filled at first use.
  const auto stub_of = [&](size_t index) {
    std::byte* const stub = memory + stubs_at + index * kStubBytes;
    constexpr unsigned char kJump[8] = {0xff, 0x25, 0xf2, 0xff, 0xff, 0xff, 0xcc, 0xcc};  // jmp *[rip - 14]
    const uint64_t target = address_of(symbols[index]);
    std::memcpy(stub, &target, 8);
    std::memcpy(stub + 8, kJump, 8);
    return reinterpret_cast<uint64_t>(stub);
  };

  for (const Section& s : sections) {
    if (s.header.sh_type != SHT_RELA) continue;
    const Section& target = section(sections, s.header.sh_info);
    if (!target.at) continue;
    for (const auto& r : object.array<Elf64_Rela>(s.header)) {
      const uint64_t type = ELF64_R_TYPE(r.r_info), index = ELF64_R_SYM(r.r_info);
      if (index >= symbols.size()) reject("a relocation's symbol is out of range");
      if (r.r_offset >= target.header.sh_size) reject("a relocation lies outside its section");
      const bool undefined = symbols[index].st_shndx == SHN_UNDEF;
      const uint64_t symbol = through_table(type)                ? stub_of(index)
                              : undefined && type != R_X86_64_64 ? stub_of(index) + 8
                                                                 : address_of(symbols[index]);
      relocate(target.at + r.r_offset, target.header.sh_size - r.r_offset, type, symbol, r.r_addend);
    }
  }

  for (const Elf64_Sym& symbol : symbols)
    if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && symbol.st_shndx != SHN_UNDEF)
      functions_[object.text(*names, symbol.st_name)] = reinterpret_cast<void*>(address_of(symbol));
  if (mprotect(memory, size, PROT_READ | PROT_EXEC) != 0)
    reject(fmt::format("the system refuses to make memory executable: {}", std::strerror(errno)));
  memory_ = memory, size_ = size, code_bytes_ = code_bytes;
  guard.memory = nullptr;
}

LoadedObject::~LoadedObject() { munmap(memory_, size_); }

void* LoadedObject::address(std::string_view function) const {
  const auto it = functions_.find(function);
  if (it != functions_.end()) return it->second;
  std::string known;
  for (const auto& [name, address] : functions_) known += (known.empty() ? "" : ", ") + name;
  reject(fmt::format("it has no function {}; it has: {}", function, known.empty() ? "none" : known));
}

}  // namespace tg
