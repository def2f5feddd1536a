{{- /* One Node. Takes name, entry (of the values) and preset (resources, may be empty). */}}
{{- define "virtual-nodes.node" -}}
{{- $resources := dict }}
{{- range $name, $quantity := merge (dict) (.entry.resources | default dict) .preset }}
{{- $_ := set $resources $name (include "virtual-nodes.text" $quantity) }}
{{- end }}
{{- $labels := dict
  "beta.kubernetes.io/arch" "amd64"
  "beta.kubernetes.io/os" "linux"
  "kubernetes.io/arch" "amd64"
  "kubernetes.io/os" "linux"
  "kubernetes.io/role" "agent"
  "node-role.kubernetes.io/agent" ""
}}
{{- range $key, $value := .entry.labels }}
{{- $_ := set $labels $key (include "virtual-nodes.text" $value) }}
{{- end }}
{{- $_ := set $labels "kubernetes.io/hostname" .name }}
{{- $_ := set $labels "type" "kwok" }}
{{- $annotations := dict "node.alpha.kubernetes.io/ttl" "0" }}
{{- range $key, $value := .entry.annotations }}
{{- $_ := set $annotations $key (include "virtual-nodes.text" $value) }}
{{- end }}
{{- $_ := set $annotations "kwok.x-k8s.io/node" "fake" }}
apiVersion: v1
kind: Node
metadata:
  name: {{ .name }}
  labels:
    {{- toYaml $labels | nindent 4 }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
{{- with .entry.taints }}
spec:
  taints:
  {{- range . }}
  - key: {{ .key | quote }}
    {{- if hasKey . "value" }}
    value: {{ include "virtual-nodes.text" .value | quote }}
    {{- end }}
    effect: {{ .effect }}
  {{- end }}
{{- end }}
status:
  phase: Running
  capacity:
    {{- toYaml $resources | nindent 4 }}
  allocatable:
    {{- toYaml $resources | nindent 4 }}
  conditions:
  {{- /* What a healthy kubelet reports; KWOK keeps these up to date afterwards. */}}
  - {type: Ready, status: "True", reason: KubeletReady, message: kubelet is posting ready status}
  - {type: MemoryPressure, status: "False", reason: KubeletHasSufficientMemory, message: kubelet has sufficient memory available}
  - {type: DiskPressure, status: "False", reason: KubeletHasNoDiskPressure, message: kubelet has no disk pressure}
  - {type: PIDPressure, status: "False", reason: KubeletHasSufficientPID, message: kubelet has sufficient PID available}
  {{- range .entry.conditions }}
  - type: {{ .type | quote }}
    status: {{ .status | toString | title | quote }}
    reason: {{ .reason | default "" | quote }}
    message: {{ .message | default "" | quote }}
  {{- end }}
  nodeInfo:
    architecture: amd64
    operatingSystem: linux
    kubeletVersion: fake
    kubeProxyVersion: fake
    bootID: ""
    containerRuntimeVersion: ""
    kernelVersion: ""
    machineID: ""
    osImage: ""
    systemUUID: ""
{{- end }}

{{- /* A scalar of the values as text: whole numbers without an exponent. */}}
{{- define "virtual-nodes.text" -}}
{{- if kindIs "float64" . }}{{ if eq (floor .) . }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}
