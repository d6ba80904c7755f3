// Drives the fuzz harness where there is no libFuzzer: seeds, mutated blindly for some seconds.
// mutate SECONDS INPUT SEED...; each input is first written to the file INPUT, which is left there by one that fails.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

void mutate(Bytes& bytes, const Bytes& other, std::mt19937& random) {
    const size_t at = random() % bytes.size();
    const size_t length = 1 + random() % 16 % (bytes.size() - at);
    switch (random() % 5) {
        case 0: bytes[at] ^= uint8_t(1u << random() % 8); break;
        case 1: bytes[at] = uint8_t(random()); break;
        case 2: bytes.insert(bytes.begin() + long(at), uint8_t(random())); break;
        case 3:
            if (bytes.size() > length) bytes.erase(bytes.begin() + long(at), bytes.begin() + long(at + length));
            break;
        default:
            bytes.resize(at);
            bytes.insert(bytes.end(), other.begin() + long(random() % other.size()), other.end());
    }
    if (bytes.empty()) bytes.push_back(0);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) return 2;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(arguments[1]));
    std::vector<Bytes> seeds;
    for (int i = 3; i < count; ++i) {
        std::ifstream stream(arguments[i], std::ios::binary);
        Bytes bytes(std::istreambuf_iterator<char>(stream), {});
        if (!bytes.empty()) seeds.push_back(std::move(bytes));
    }
    if (seeds.empty()) return 2;
    std::mt19937 random(std::random_device{}());
    unsigned long runs = 0;
    for (; std::chrono::steady_clock::now() < end; ++runs) {
        Bytes input = seeds[random() % seeds.size()];
        for (unsigned times = 1 + random() % 8; times > 0; --times)
            mutate(input, seeds[random() % seeds.size()], random);
        const auto* bytes = reinterpret_cast<const char*>(input.data());
        std::ofstream(arguments[2], std::ios::binary).write(bytes, std::streamsize(input.size()));
        alarm(20);  // an endless loop ends the program too
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::remove(arguments[2]);
    std::printf("%lu mutated inputs, none failed\n", runs);
}
