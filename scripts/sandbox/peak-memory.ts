import { readFileSync } from 'node:fs';

/**
 * The most that a process ever had in memory, bytes: VmHWM of Linux' /proc. `maxRSS` of `process.resourceUsage()` is not
 * that: execve(2) keeps what the process that started it had in memory.
 */
export function peakRssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
