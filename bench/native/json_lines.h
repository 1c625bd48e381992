// One JSON object a line: all that the bench programs print, and nothing but numbers and plain
// names in it.
//
// Threads: one.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace standstill::bench {

class JsonLine {
 public:
  JsonLine& Add(std::string_view key, double value) {
    char text[64];
    std::snprintf(text, sizeof(text), "%.6g", value);
    return Put(key, text);
  }
  JsonLine& Add(std::string_view key, std::integral auto value) {
    return Put(key, std::to_string(value));
  }
  JsonLine& Add(std::string_view key, std::string_view value) {
    return Put(key, '"' + std::string(value) + '"');
  }
  JsonLine& Add(std::string_view key, const char* value) {
    return Add(key, std::string_view(value));
  }
  JsonLine& Add(std::string_view key, const std::vector<int64_t>& values) {
    std::string text = "[";
    for (const int64_t value : values) {
      if (text.size() > 1) text += ',';
      text += std::to_string(value);
    }
    return Put(key, text + ']');
  }
  // The reader waits for the line.
  void Print() const {
    std::printf("{%s}\n", text_.c_str());
    std::fflush(stdout);
  }

 private:
  JsonLine& Put(std::string_view key, std::string_view value) {
    if (!text_.empty()) text_ += ',';
    ((text_ += '"') += key) += "\":";
    text_ += value;
    return *this;
  }

  std::string text_;
};

}  // namespace standstill::bench
