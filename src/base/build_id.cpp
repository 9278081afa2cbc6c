// See build_id.hpp. The loaded file whose segments hold this function, and the note in it that the linker wrote.
#include "base/build_id.hpp"

#include <elf.h>
#include <link.h>

#include <cstring>

namespace tg {
namespace {

struct Search { uintptr_t inside; std::string found; };

bool holds(const dl_phdr_info& file, uintptr_t address) {
  for (int i = 0; i < file.dlpi_phnum; ++i) {
    const auto& segment = file.dlpi_phdr[i];
    const uintptr_t begin = file.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && address >= begin && address - begin < segment.p_memsz) return true;
  }
  return false;
}

int look(dl_phdr_info* file, size_t, void* context) {
  auto& search = *static_cast<Search*>(context);
  if (!holds(*file, search.inside)) return 0;
  for (int i = 0; i < file->dlpi_phnum; ++i) {
    const auto& segment = file->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(file->dlpi_addr + segment.p_vaddr);
    for (const char* const end = at + segment.p_memsz; at + sizeof(ElfW(Nhdr)) <= end;) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char *const name = at + sizeof note, *const id = name + (note.n_namesz + 3u) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) search.found.assign(id, note.n_descsz);
      at = id + (note.n_descsz + 3u) / 4 * 4;
    }
  }
  return 1;
}

}  // namespace

std::string build_id() {
  Search search{reinterpret_cast<uintptr_t>(&look), {}};
  dl_iterate_phdr(look, &search);
  return search.found;
}

}  // namespace tg
